/** Making secrets: what the client gets, what is kept, and where Argon2 runs (C12). */
import { argon2Sync } from "node:crypto";
import argon2 from "argon2";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { acceptedDays, DAY_SECONDS, dayOf } from "@daykey/common/clock";
import { hasChecksum } from "@daykey/common/secret-hash";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";
import { createSecretMaker } from "./secrets.ts";
import { dayKeyOf, hashPrimitives, verifierOf } from "../clients/verifiers.ts";

const NOW = 1_795_262_400.25; // 2026-11-21T12:00:00Z
const CHOSEN = "correct horse battery staple";
const BUSY = {
  status: 503,
  code: "busy",
  headers: { "Retry-After": expect.stringMatching(/^\d+$/) },
};

/** The root of a chosen secret by another implementation than the product's. */
function rootOf(message: string, salt: string): string {
  const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
  return argon2Sync("argon2id", { message, nonce: salt, ...cost }).toString("hex");
}

function expectedVerifiers(root: string, salt: string, firstDay: number, lastDay: number): Buffer {
  const days = Array.from({ length: lastDay - firstDay + 1 }, (_, i) => firstDay + i);
  return Buffer.concat(days.map((day) => verifierOf(dayKeyOf(root, salt, day))));
}

describe("a generated secret", () => {
  test("has its kid, 32 random bytes and a checksum; of it only verifiers are kept", async () => {
    const { clientSecret, stored } = await createSecretMaker().make({ kind: "generated" }, NOW);
    const [prefix, kid] = clientSecret.split("_");
    expect([prefix, kid, clientSecret.length]).toEqual(["dks", stored.kid, 63]);
    expect(await hasChecksum(hashPrimitives, clientSecret)).toBe(true);
    const lastDay = dayOf(NOW) + 366;
    expect(stored).toEqual({
      kid: expect.stringMatching(/^[a-z0-9]{8}$/),
      kind: "generated",
      salt: expect.stringMatching(/^[0-9a-f]{32}$/),
      firstDay: dayOf(NOW),
      verifiers: expectedVerifiers(clientSecret, stored.salt, dayOf(NOW), lastDay),
      expiresAt: NOW + 366 * DAY_SECONDS,
    });
  });

  test("never repeats a kid, a salt or a byte string (T4)", async () => {
    const maker = createSecretMaker();
    const made = await Promise.all(
      Array.from({ length: 200 }, () => maker.make({ kind: "generated", days: 1 }, NOW)),
    );
    for (const part of [
      made.map(({ stored }) => stored.kid),
      made.map(({ stored }) => stored.salt),
      made.map(({ clientSecret }) => clientSecret.slice(13, 56)),
    ]) {
      expect(new Set(part).size).toBe(200);
    }
  });

  test.each([
    ["just before midnight", "2026-11-21T23:59:59Z"],
    ["just after midnight", "2026-11-22T00:00:01Z"],
    ["300 s after midnight", "2026-11-22T00:05:00Z"],
  ])("made %s has a verifier for every day it can be used", async (_name, instant) => {
    const now = Date.parse(instant) / 1000;
    const { stored } = await createSecretMaker().make({ kind: "generated", days: 1 }, now);
    const days = stored.verifiers.length / 32;
    const lastDay = stored.firstDay + days - 1;
    expect([stored.firstDay, lastDay]).toEqual([
      acceptedDays(now)[0],
      acceptedDays(stored.expiresAt)[1],
    ]);
  });

  test.each([0, -1, 401, 1.5, Number.NaN, Infinity])("cannot live %d days", async (days) => {
    await expect(createSecretMaker().make({ kind: "generated", days }, NOW)).rejects.toMatchObject({
      status: 400,
      code: "invalid-secret-life",
    });
  });

  test("lives at most 400 days, in at most 12,864 bytes", async () => {
    const now = Date.parse("2026-11-22T00:00:01Z") / 1000;
    const { stored } = await createSecretMaker().make({ kind: "generated", days: 400 }, now);
    expect(stored.verifiers.length).toBe(402 * 32);
  });
});

describe("C12: a chosen secret", () => {
  afterEach(() => void vi.restoreAllMocks());

  test("is hashed by Argon2id with the costs of protocol §1", async () => {
    const request = { kind: "chosen", secret: CHOSEN, days: 2 } as const;
    const { clientSecret, stored } = await createSecretMaker().make(request, NOW);
    const day = dayOf(NOW);
    expect(clientSecret).toBe(CHOSEN);
    expect(stored.verifiers).toEqual(
      expectedVerifiers(rootOf(CHOSEN, stored.salt), stored.salt, day, day + 2),
    );
  });

  test.each([
    ["11 bytes", "x".repeat(11)],
    ["129 bytes", "x".repeat(129)],
    ["a megabyte", "x".repeat(1_000_000)],
    ["text that is not NFC", `${"x".repeat(12)}e\u0301`],
    ["a control character", `${"x".repeat(12)}\n`],
    ["nothing", ""],
  ])("of %s is refused before it is hashed", async (_name, secret) => {
    const hash = vi.spyOn(argon2, "hash");
    await expect(createSecretMaker().make({ kind: "chosen", secret }, NOW)).rejects.toMatchObject({
      status: 400,
      code: "invalid-secret",
    });
    expect(hash).not.toHaveBeenCalled();
  });

  test("is hashed by two at once with 32 waiting; more are 503 with Retry-After", async () => {
    const held = Promise.withResolvers<Buffer>();
    const hash = vi.spyOn(argon2, "hash").mockImplementation(() => held.promise as never);
    const maker = createSecretMaker();
    const made = Array.from({ length: 36 }, () =>
      maker.make({ kind: "chosen", secret: CHOSEN, days: 1 }, NOW),
    );
    const settled = Promise.allSettled(made);
    for (const refused of made.slice(34)) await expect(refused).rejects.toMatchObject(BUSY);
    expect(hash).toHaveBeenCalledTimes(2);
    held.resolve(Buffer.alloc(32));
    const statuses = (await settled).map(({ status }) => status);
    expect(statuses).toEqual([...Array(34).fill("fulfilled"), "rejected", "rejected"]);
    expect(hash).toHaveBeenCalledTimes(34);
  });
});

describe("C12: a client with a chosen secret at the token endpoint", () => {
  let server: TestAuthServer;
  let client: TestClient;
  beforeAll(async () => {
    server = await startAuthServer();
    const issued = await server.createClient({}, { kind: "chosen", secret: CHOSEN });
    client = { ...issued, root: rootOf(CHOSEN, issued.salt) };
  });
  afterAll(() => server.stop());
  afterEach(() => void vi.restoreAllMocks());

  test("logs in by both hash forms, and by its secret or root never; no request runs Argon2", async () => {
    const hash = vi.spyOn(argon2, "hash");
    const verify = vi.spyOn(argon2, "verify");
    const { clientId: client_id, root } = client;
    const basic = Buffer.from(`${client_id}:${CHOSEN.replaceAll(" ", "+")}`).toString("base64");
    const requests: [form: Record<string, string>, authorization: string | undefined][] = [
      [{ client_id, client_secret_hash: await server.dayForm(client) }, undefined],
      [{ client_id, client_secret_hash: await server.oneTime(client) }, undefined],
      [{ client_id, client_secret: CHOSEN }, undefined],
      [{ client_id, client_secret: root }, undefined],
      [{ client_id, client_secret_hash: root }, undefined],
      [{ client_id, client_secret_hash: CHOSEN }, undefined],
      [{ client_id: "nobody", client_secret: CHOSEN }, undefined],
      [{}, `Basic ${basic}`],
    ];
    const statuses = [];
    for (const [form, authorization] of requests) {
      const headers = authorization === undefined ? {} : { authorization };
      const { status } = await server.token({ grant_type: "client_credentials", ...form }, headers);
      statuses.push(status);
    }
    expect(statuses).toEqual([200, 200, 401, 401, 401, 401, 401, 401]);
    expect(hash).not.toHaveBeenCalled();
    expect(verify).not.toHaveBeenCalled();
  });
});
