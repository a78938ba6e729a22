/** The one-time form over two instances of the server (protocol §1). */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";

const ROUNDS = 300;
const PARALLEL = 8;

let first: TestAuthServer;
let second: TestAuthServer;
beforeAll(async () => {
  first = await startAuthServer();
  second = await startAuthServer({ database: first.database });
});
afterAll(async () => {
  await second.stop();
  await first.stop();
});

async function statusOf(
  server: TestAuthServer,
  client: TestClient,
  client_secret_hash: string,
): Promise<number> {
  const form = { grant_type: "client_credentials", client_id: client.clientId };
  return (await server.token({ ...form, client_secret_hash })).status;
}

test(`C8: of ${PARALLEL} at once on each of two instances one is accepted, ${ROUNDS} times`, async () => {
  const client = await first.createClient({ authMethods: ["client_secret_hash_once"] });
  const outcomes: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    const hash = await first.oneTime(client);
    const statuses = await Promise.all(
      Array.from({ length: 2 * PARALLEL }, (_, i) =>
        statusOf(i % 2 === 0 ? first : second, client, hash),
      ),
    );
    const outcome = statuses.toSorted((a, b) => a - b).join(" ");
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  expect(outcomes).toEqual({ [`200${" 401".repeat(2 * PARALLEL - 1)}`]: ROUNDS });
  const [row] = await first.database.query<{ count: number }>(
    "select count(*)::int from daykey.nonces where client_id = $1",
    [client.clientId],
  );
  expect(row).toEqual({ count: ROUNDS });
}, 60_000);

describe("a nonce", () => {
  test("is kept until 900 s after its hash's time", async () => {
    const client = await first.createClient();
    const hash = await first.oneTime(client);
    expect(await statusOf(first, client, hash)).toBe(200);
    const [kid, when, nonce] = hash.split(".");
    const rows = await first.database.query(
      `select kid, nonce, expires_at = $2::timestamptz + interval '900 s' as in_time
       from daykey.nonces where client_id = $1`,
      [client.clientId, when],
    );
    expect(rows).toEqual([{ kid, nonce, in_time: true }]);
  });

  test("belongs to its client and kid: another's is another", async () => {
    const clients = [await first.createClient(), await first.createClient()];
    const statuses = [];
    for (const client of clients) {
      const hash = await first.oneTime(client);
      statuses.push(await statusOf(first, client, hash), await statusOf(second, client, hash));
    }
    expect(statuses).toEqual([200, 401, 200, 401]);
  });

  test("is not written for a hash that proves nothing, is too old, or of a disabled client", async () => {
    const client = await first.createClient();
    const disabled = await first.createClient();
    await first.database.query("update daykey.clients set enabled = false where client_id = $1", [
      disabled.clientId,
    ]);
    await first.look();
    const statuses = [
      await statusOf(first, client, await first.oneTime({ ...client, root: "another" })),
      await statusOf(first, client, await first.oneTime(client, first.now() - 302)),
      await statusOf(first, disabled, await first.oneTime(disabled)),
    ];
    expect(statuses).toEqual([401, 401, 401]);
    const rows = await first.database.query(
      "select nonce from daykey.nonces where client_id = any($1)",
      [[client.clientId, disabled.clientId]],
    );
    expect(rows).toEqual([]);
  });
});

test("a hash too far from now names the server's time, to the holder of the key alone", async () => {
  const client = await first.createClient();
  const form = { grant_type: "client_credentials", client_id: client.clientId };
  const early = await first.oneTime(client, first.now() + 3600);
  const skewed = await first.token({ ...form, client_secret_hash: early });
  expect(skewed.body).toEqual({
    error: "invalid_client",
    error_description: expect.stringMatching(
      /^The hash is dated too far from now: the server's time is \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.$/,
    ),
  });
  const forged = await first.oneTime({ ...client, root: "another" }, first.now() + 3600);
  expect((await first.token({ ...form, client_secret_hash: forged })).body).toEqual({
    error: "invalid_client",
    error_description: "Client authentication failed.",
  });
});
