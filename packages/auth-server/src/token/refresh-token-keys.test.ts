/** Refresh tokens while their key changes (docs/protocol.md §2). */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";
import {
  ageRotation,
  expectRefused,
  grantRow,
  keyIdOf,
  lastReason,
  openGrant,
  readToken,
  rotate,
} from "../../test/refresh.ts";

let server: TestAuthServer;
/** Its clock is where the next key is due, so it makes that. */
let ahead: TestAuthServer;
let client: TestClient;
beforeAll(async () => {
  server = await startAuthServer();
  client = await server.createClient();
  ahead = await startAuthServer({
    database: server.database,
    offset: server.config.keyRotationSeconds - 3600,
  });
});
afterAll(async () => {
  await ahead.stop();
  await server.stop();
});

/** Kids of the keys of refresh tokens, in order of first use. */
async function refreshKids(): Promise<string[]> {
  const keys = await server.database.query<{ kid: string }>(
    "select kid from daykey.keys where purpose = 'refresh_token' order by active_at",
  );
  return keys.map(({ kid }) => kid);
}

/** Puts a key's first use so long ago. */
async function activate(kid: string, ago: string): Promise<void> {
  await server.database.query(
    "update daykey.keys set active_at = now() - $2::interval where kid = $1",
    [kid, ago],
  );
  await server.look();
}

test("R2: the key rotated between rotation and retry: the same bytes, by the key of then", async () => {
  const { id, token } = await openGrant(server, client);
  const successor = await rotate(server, client, token);
  const [first = "", second = ""] = await refreshKids();
  expect([keyIdOf(token), keyIdOf(successor)]).toEqual([first, first]);

  // 30 s pass since the rotation, and 10 s since the second key came into use.
  await ageRotation(server.database, id, 30);
  await activate(first, "1 h");
  const aged = await rotate(server, client, token);
  await activate(second, "10 s");
  expect(await rotate(server, client, token)).toBe(aged);
  expect(readToken(aged)).toEqual({
    ...readToken(successor),
    issuedAt: readToken(successor).issuedAt - 30,
  });

  // The next one is sealed by the new key, and grants opened before go on.
  const next = await rotate(server, client, aged);
  expect(keyIdOf(next)).toBe(second);
  expect(await grantRow(server.database, id)).toMatchObject({ seq: 2, revoked_at: null });
  expect(keyIdOf((await openGrant(server, client)).token)).toBe(second);
});

test("a token whose key is gone is refused, its row untouched", async () => {
  const { id, token } = await openGrant(server, client);
  await server.database.query("delete from daykey.keys where kid = $1", [keyIdOf(token)]);
  await server.look();
  expectRefused(await server.refresh(client, token));
  expect(lastReason(server)).toBe("unknown_refresh_key");
  expect(await grantRow(server.database, id)).toBeUndefined();
});
