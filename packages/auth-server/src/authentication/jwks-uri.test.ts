/** A client that publishes its keys at its `jwks_uri`, against the real server. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { assertionOf, createKey, present, registerKeys, revokeKey } from "../../test/assertions.ts";
import {
  type Answer,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { type KeyServer, startKeyServer } from "../../test/key-server.ts";

let server: TestAuthServer;
let keys: KeyServer;
beforeAll(async () => {
  server = await startAuthServer({ config: { allowPrivateJwksUri: true } });
});
afterAll(() => server.stop());
afterEach(() => keys.stop());

const one = createKey("one");
const two = createKey("https://keys.example/two");

/** With a server of its own, so that no fetch before counts. */
async function createClient(authMethods = ["private_key_jwt"] as const): Promise<TestClient> {
  keys = await startKeyServer();
  keys.publish(one.publicJwk);
  return server.createClient({ authMethods, jwksUri: keys.uri });
}

async function by(client: TestClient, key = one, form = {}): Promise<Answer> {
  return present(server, assertionOf(client.clientId, key, server.now()), form);
}

const refreshForm = ({ body }: Answer): Record<string, string> => ({
  grant_type: "refresh_token",
  refresh_token: String(body["refresh_token"]),
});

test("its key authenticates it, and is the credential of what it opens", async () => {
  const client = await createClient();
  const answer = await by(client);
  expect(answer.status).toBe(200);
  const payload = String(answer.body["access_token"]).split(".")[1] ?? "";
  expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({ cred: "one" });
  expect((await by(client)).status).toBe(200);
  expect(keys.asked).toEqual(["/keys"]);
  const active = await introspect(client, answer);
  expect(active).toMatchObject({ active: true, cred: "one" });
});

async function introspect(client: TestClient, { body }: Answer): Promise<object> {
  const answer = await server.post("/oauth2/introspect", {
    token: String(body["access_token"]),
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: assertionOf(client.clientId, one, server.now()),
  });
  return answer.body;
}

test("a rotation of its keys ends no grant, but the key that left is refused", async () => {
  const client = await createClient();
  const opened = await by(client);
  keys.publish(two.publicJwk);
  server.advance(300);
  expect((await by(client, one)).status).toBe(401);
  const refreshed = await by(client, two, refreshForm(opened));
  expect(refreshed.status).toBe(200);
});

test("a new key signs without a kid: the set is read again 30 s after the last time", async () => {
  const client = await createClient();
  expect((await by(client)).status).toBe(200);
  keys.publish(one.publicJwk, two.publicJwk);
  const byNew = (): Promise<Answer> => {
    const header = { kid: undefined };
    return present(server, assertionOf(client.clientId, two, server.now(), { header }));
  };
  expect((await byNew()).status).toBe(401);
  server.advance(30);
  expect((await byNew()).status).toBe(200);
  expect(keys.asked.length).toBe(2);
});

test("R9: an operator's epoch ends what a stolen key opened", async () => {
  const client = await createClient();
  const opened = await by(client);
  await server.database.query("update daykey.clients set epoch = epoch + 1 where client_id = $1", [
    client.clientId,
  ]);
  await server.look();
  expect((await by(client, one, refreshForm(opened))).body["error"]).toBe("invalid_grant");
  expect(await introspect(client, opened)).toEqual({ active: false });
});

describe("a kid that a secret or a registered key has or had is not a published key's", () => {
  test("a secret's", async () => {
    const client = await createClient();
    const key = createKey(client.kid);
    keys.publish(key.publicJwk);
    expect((await by(client, key)).status).toBe(401);
  });

  test("a registered key's, which counts in its place, and which revoked stays revoked", async () => {
    const client = await createClient();
    const registered = createKey("one");
    await registerKeys(server, client.clientId, registered);
    expect([(await by(client, one)).status, (await by(client, registered)).status]).toEqual([
      401, 200,
    ]);
    const opened = await by(client, registered);
    await revokeKey(server, client.clientId, "one");
    expect([(await by(client, one)).status, (await by(client, registered)).status]).toEqual([
      401, 401,
    ]);
    keys.publish(one.publicJwk, two.publicJwk);
    server.advance(300);
    const refreshed = await by(client, two, refreshForm(opened));
    expect(refreshed.body["error"]).toBe("invalid_grant");
  });
});

test("C5: an outage, a private address and a client without the method read like any refusal", async () => {
  const client = await createClient();
  const usual = await present(server, assertionOf("unknown", one, server.now()));
  keys.answer((request) => request.socket.destroy());
  const outage = await by(client);
  const strict = await startAuthServer({ database: server.database });
  const asked = keys.asked.length;
  const refused = await present(strict, assertionOf(client.clientId, one, server.now()));
  await strict.stop();
  await server.database.query(
    "update daykey.clients set auth_methods = '{client_secret_post}' where client_id = $1",
    [client.clientId],
  );
  await server.look();
  server.advance(60);
  const unregistered = await by(client);
  for (const { status, text } of [outage, refused, unregistered]) {
    expect({ status, text }).toEqual({ status: 401, text: usual.text });
  }
  expect([asked, keys.asked.length]).toEqual([1, 1]);
});

test("no header of an assertion says where to fetch", async () => {
  const client = await createClient();
  const elsewhere = await startKeyServer();
  elsewhere.publish(two.publicJwk);
  const header = { jku: elsewhere.uri, x5u: elsewhere.uri };
  const text = assertionOf(client.clientId, two, server.now(), { header });
  expect((await present(server, text)).status).toBe(401);
  expect(elsewhere.asked).toEqual([]);
  await elsewhere.stop();
});

test("only an address that may be fetched can be registered", async () => {
  keys = await startKeyServer();
  for (const jwksUri of ["http://keys.example/", "https://a@keys.example/", "file:///etc/passwd"]) {
    await expect(server.createClient({ jwksUri })).rejects.toMatchObject({
      status: 400,
      code: "invalid-registration",
    });
  }
});
