/** API keys and signature keys: told to their resource's server, rotated, ended. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AccessKeyBench, publicJwk, startAccessKeyBench } from "../../test/access-keys.ts";
import { API, ISSUER, OTHER_API } from "../../test/auth-server.ts";

const INACTIVE = '{"active":false}';
const SCOPES = ["time:read", "primes:check"];
let bench: AccessKeyBench;
beforeAll(async () => {
  bench = await startAccessKeyBench();
});
afterAll(() => bench.server.stop());

/** Each kind of key: its path, how one is asked for. */
const KINDS = [
  { path: "api-keys", kind: "api_key", body: () => ({}) },
  { path: "signature-keys", kind: "signature_key", body: () => ({ algorithm: "hmac-sha256" }) },
  {
    path: "signature-keys",
    kind: "signature_key",
    body: () => ({ algorithm: "ed25519", jwk: publicJwk() }),
  },
];

test("an API key is told once, and to its resource's server as access of the client", async () => {
  const client = await bench.server.createClient({
    quotas: [
      { limit: 5, window: "day" },
      { limit: 1, window: "second", scope: "other:write" },
    ],
  });
  const keyQuotas = [{ limit: 100, window: "minute", scope: "time:read" }];
  const made = await bench.admin.post(`/clients/${client.clientId}/api-keys`, {
    name: "ci",
    quotas: keyQuotas,
  });
  expect([made.status, made.headers.get("cache-control")]).toEqual([201, "no-store"]);
  const { api_key, ...view } = made.body;
  expect(view).toEqual({
    id: expect.stringMatching(/^[a-z0-9]{12}$/),
    client_id: client.clientId,
    name: "ci",
    resource: API,
    scopes: SCOPES,
    quotas: keyQuotas,
    created_at: expect.stringMatching(/Z$/),
    expires_at: expect.stringMatching(/Z$/),
    last_used_at: null,
    revoked_at: null,
    live: true,
  });
  expect(api_key).toMatch(new RegExp(`^dkk_${view.id}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$`));
  const listed = await bench.admin.get(`/clients/${client.clientId}/api-keys`);
  expect(listed.body).toEqual({ items: [view] });

  const { headers, body } = await bench.introspect(bench.owner, api_key);
  expect(headers.get("cache-control")).toBe("no-store");
  expect(body).toEqual({
    active: true,
    token_type: "api_key",
    iss: ISSUER,
    sub: client.clientId,
    client_id: client.clientId,
    aud: API,
    scope: "time:read primes:check",
    iat: Date.parse(view.created_at) / 1000,
    exp: Date.parse(view.expires_at) / 1000,
    ep: 0,
    cred: view.id,
    quota: [{ limit: 5, window: "day" }],
    key_quota: keyQuotas,
  });
});

test("a signature key is told to its resource's server, a public one to its client too", async () => {
  const client = await bench.server.createClient();
  const jwk = publicJwk();
  const asymmetric = await bench.make(client, "signature-keys", {
    algorithm: "ed25519",
    jwk,
    days: null,
  });
  expect(asymmetric).toMatchObject({ algorithm: "ed25519", jwk, expires_at: null });
  expect(asymmetric).not.toHaveProperty("secret");
  const answer = {
    active: true,
    iss: ISSUER,
    client_id: client.clientId,
    aud: API,
    scope: "time:read primes:check",
    ep: 0,
    cred: asymmetric.id,
    alg: "ed25519",
    jwk,
  };
  for (const caller of [bench.owner, client]) {
    const { headers, body } = await bench.signatureKey(caller, asymmetric.id);
    expect([headers.get("cache-control"), body]).toEqual(["no-store", answer]);
  }

  const symmetric = await bench.make(client, "signature-keys", { algorithm: "hmac-sha256" });
  expect(symmetric).toMatchObject({ algorithm: "hmac-sha256", jwk: null });
  expect(Buffer.from(symmetric.secret, "base64url").length).toBe(32);
  expect((await bench.signatureKey(bench.owner, symmetric.id)).body).toMatchObject({
    alg: "hmac-sha256",
    jwk: { kty: "oct", k: symmetric.secret },
  });
  expect((await bench.signatureKey(client, symmetric.id)).text).toBe(INACTIVE);

  const secret = Buffer.from("a key that both sides have had for years").toString("base64url");
  const brought = await bench.make(client, "signature-keys", { algorithm: "hmac-sha256", secret });
  expect(brought).not.toHaveProperty("secret");
  expect((await bench.signatureKey(bench.owner, brought.id)).body["jwk"]).toEqual({
    kty: "oct",
    k: secret,
  });
});

describe.each(KINDS)("$path $body", ({ path, kind, body }) => {
  const UNDONE: [why: string, change: string][] = [
    ["its client is disabled", "update daykey.clients set enabled = false where client_id = $1"],
    ["its client is deleted", "update daykey.clients set deleted_at = now() where client_id = $1"],
    [
      "its client lost the resource",
      "update daykey.clients set resources = '{x}' where client_id = $1",
    ],
    ["its client lost its scopes", "update daykey.clients set scopes = '{x}' where client_id = $1"],
    ["it has expired", "update daykey.access_keys set expires_at = now() where client_id = $1"],
  ];
  test.each(UNDONE)("is inactive once %s", async (_why, change) => {
    const client = await bench.server.createClient();
    const key = await bench.make(client, path, body());
    expect((await bench.ask(key)).body["active"]).toBe(true);
    await bench.server.database.query(change, [client.clientId]);
    expect((await bench.ask(key)).text).toBe(INACTIVE);
  });

  test("is inactive for whoever does not own its resource", async () => {
    const client = await bench.server.createClient();
    const key = await bench.make(client, path, body());
    expect((await bench.ask(key, await bench.server.createClient())).text).toBe(INACTIVE);
    const elsewhere = await bench.make(client, path, { ...body(), resource: OTHER_API });
    expect((await bench.ask(elsewhere)).text).toBe(INACTIVE);
  });

  test("has the scopes that key, client and resource all have now", async () => {
    const client = await bench.server.createClient();
    const key = await bench.make(client, path, { ...body(), scopes: [...SCOPES].toReversed() });
    expect((await bench.ask(key)).body["scope"]).toBe("primes:check time:read");
    await bench.server.database.query(
      "update daykey.clients set scopes = '{time:read,other:write}' where client_id = $1",
      [client.clientId],
    );
    expect((await bench.ask(key)).body["scope"]).toBe("time:read");
  });

  test("outlives the end of its client's tokens, and tells the new epoch", async () => {
    const client = await bench.server.createClient();
    const key = await bench.make(client, path, body());
    await bench.admin.post(`/clients/${client.clientId}/revoke-tokens`);
    expect((await bench.ask(key)).body).toMatchObject({ active: true, ep: 1 });
  });

  test("is revoked at once, with news for resource servers, recorded once", async () => {
    const client = await bench.server.createClient();
    const key = await bench.make(client, path, body());
    const end = `/clients/${client.clientId}/${path}/${key.id}/revoke`;
    expect((await bench.admin.post(end)).status).toBe(204);
    expect((await bench.ask(key)).text).toBe(INACTIVE);
    expect((await bench.admin.post(end)).status).toBe(204);
    const subject = `${client.clientId} ${key.id}`;
    const news = (await bench.admin.get("/revocations")).body.items;
    expect(news).toContainEqual(expect.objectContaining({ kind: "credential", subject }));
    const rows = (await bench.admin.audit()).filter(({ target }) => target === subject);
    expect(rows.map(({ action }) => action)).toEqual([`${kind}.create`, `${kind}.revoke`]);
    expect(rows[1].detail).toEqual({
      before: rows[0].detail.after,
      after: { ...rows[0].detail.after, revoked_at: expect.any(String) },
    });
    expect(
      await bench.server.database.query("select sealed from daykey.access_keys where id = $1", [
        key.id,
      ]),
    ).toEqual([{ sealed: null }]);
  });

  test("is rotated: a successor on the same terms, and the old one for the overlap", async () => {
    const client = await bench.server.createClient();
    const terms = { scopes: ["time:read"], quotas: [{ limit: 3, window: "hour" }] };
    const key = await bench.make(client, path, {
      ...body(),
      ...terms,
      name: "rotated",
      days: null,
    });
    const of = `/clients/${client.clientId}/${path}`;
    const { algorithm: _algorithm, ...material } = body() as { algorithm?: string };
    const next = await bench.admin.post(`${of}/${key.id}/rotate`, {
      ...material,
      overlap_seconds: 60,
    });
    expect(next.status, next.text).toBe(201);
    expect(next.body).toMatchObject({ ...terms, name: "rotated", resource: API });
    expect(next.body.id).not.toBe(key.id);
    for (const each of [key, next.body]) expect((await bench.ask(each)).body["active"]).toBe(true);
    const [, old] = (await bench.admin.get(of)).body.items;
    expect(Date.parse(old.expires_at) / 1000).toBeCloseTo(bench.server.now() + 60, -1);

    const again = await bench.admin.post(`${of}/${next.body.id}/rotate`, {
      ...material,
      overlap_seconds: 0,
    });
    expect(again.status, again.text).toBe(201);
    expect((await bench.ask(next.body)).text).toBe(INACTIVE);
    const ended = await bench.admin.post(`${of}/${next.body.id}/rotate`, material);
    expect([ended.status, ended.body.type]).toEqual([409, "urn:daykey:problem:key-ended"]);
    expect((await bench.admin.post(`${of}/zzzzzzzzzzzz/rotate`, material)).status).toBe(404);
    const [row] = (await bench.admin.audit()).filter(
      ({ target }) => target === `${client.clientId} ${next.body.id}`,
    );
    expect([row.action, row.detail.before.id]).toEqual([`${kind}.rotate`, key.id]);
  });
});
