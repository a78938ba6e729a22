/** The day form at the edges of its days, for both of a client's secrets (protocol §1). */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { DAY_SECONDS, formatDay } from "@daykey/common/clock";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";

/** The midnight, epoch seconds, around which the clock is set; the secrets are made a day before. */
const MIDNIGHT = (Math.floor(Date.now() / 1000 / DAY_SECONDS) + 2) * DAY_SECONDS;
const DAY_BEFORE = MIDNIGHT / DAY_SECONDS - 1;

let server: TestAuthServer;
let older: TestClient;
let newer: TestClient;
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: (MIDNIGHT - DAY_SECONDS) * 1000 });
  server = await startAuthServer();
  older = await server.createClient({ authMethods: ["client_secret_hash_day"] });
  newer = { ...older, ...(await server.addSecret(older.clientId)) };
});
afterAll(async () => {
  await server.stop();
  vi.useRealTimers();
});

async function statusOf(client: TestClient, day: number): Promise<number> {
  const client_secret_hash = await server.dayForm(client, day * DAY_SECONDS);
  const form = { grant_type: "client_credentials", client_id: client.clientId };
  return (await server.token({ ...form, client_secret_hash })).status;
}

describe.each([
  [-DAY_SECONDS / 2, [401, 200, 401, 401]],
  [-300 - 0.001, [401, 200, 401, 401]],
  [-300, [401, 200, 200, 401]],
  [-0.001, [401, 200, 200, 401]],
  [0, [401, 200, 200, 401]],
  [300 - 0.001, [401, 200, 200, 401]],
  [300, [401, 401, 200, 401]],
  [DAY_SECONDS / 2, [401, 401, 200, 401]],
])("%d s from midnight", (offset, expected) => {
  beforeEach(() => void vi.setSystemTime((MIDNIGHT + offset) * 1000));

  test.each(["older", "newer"])(
    "the hashes of the day before yesterday to tomorrow, by the %s secret",
    async (which) => {
      const client = which === "older" ? older : newer;
      const statuses = [];
      for (const i of [-1, 0, 1, 2]) statuses.push(await statusOf(client, DAY_BEFORE + i));
      expect(statuses).toEqual(expected);
    },
  );
});

describe("days apart", () => {
  beforeEach(() => void vi.setSystemTime((MIDNIGHT - DAY_SECONDS) * 1000));

  test("each day has its hash, up to the secret's last day, and then there is none", async () => {
    const client = await server.createClient({}, { kind: "generated", days: 5 });
    const statuses = [];
    for (let day = 0; day <= 5; day++) {
      vi.setSystemTime((MIDNIGHT + (day - 1) * DAY_SECONDS) * 1000);
      statuses.push(await statusOf(client, DAY_BEFORE + day));
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 401]);
  });

  test("a secret ends at its instant, not with its day", async () => {
    const client = await server.createClient({}, { kind: "generated", days: 1 });
    vi.setSystemTime(client.expiresAt * 1000 - 1);
    expect(await statusOf(client, DAY_BEFORE + 1)).toBe(200);
    vi.setSystemTime(client.expiresAt * 1000);
    expect(await statusOf(client, DAY_BEFORE + 1)).toBe(401);
  });

  test("a secret made within 300 s after midnight knows the day before: its first verifier", async () => {
    vi.setSystemTime((MIDNIGHT + 10) * 1000);
    const client = await server.createClient();
    expect(await statusOf(client, DAY_BEFORE)).toBe(200);
    const [row] = await server.database.query<{ first_day: string }>(
      "select first_day::text from daykey.secrets where client_id = $1",
      [client.clientId],
    );
    expect(row?.first_day).toBe(formatDay(DAY_BEFORE));
  });

  test("the same secret with another salt has other day keys", async () => {
    expect(await statusOf({ ...older, salt: newer.salt }, DAY_BEFORE)).toBe(401);
    expect(await statusOf(older, DAY_BEFORE)).toBe(200);
  });
});
