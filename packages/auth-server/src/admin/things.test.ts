/** Registered keys, resources, the server's own keys and grants through the admin API. */
import { generateKeyPairSync } from "node:crypto";
import { calculateJwkThumbprint, createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, statusesOf, type TestAdmin } from "../../test/admin.ts";
import { API, ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { readToken } from "../../test/refresh.ts";
import type { Json } from "../../test/openapi.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

const ec = (namedCurve = "P-256") => generateKeyPairSync("ec", { namedCurve });
const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength });

describe("C11: registered keys", () => {
  test.each([
    ["ES256", () => ec()],
    ["RS256", () => rsa(2048)],
    ["Ed25519", () => generateKeyPairSync("ed25519")],
  ])("%s is taken, by its thumbprint or by its own kid", async (algorithm, make) => {
    const { body } = await admin.create({ secret: null });
    const path = `/clients/${body.client.client_id}/keys`;
    const jwk = make().publicKey.export({ format: "jwk" });
    const added = await admin.post(path, { jwk });
    const kid = await calculateJwkThumbprint(jwk);
    expect(added.body).toEqual({
      kid,
      algorithm,
      jwk: { ...jwk, kid, alg: algorithm, use: "sig" },
      created_at: expect.any(String),
      last_used_at: null,
      revoked_at: null,
    });
    const named = { ...make().publicKey.export({ format: "jwk" }), kid: "key-1", alg: algorithm };
    expect((await admin.post(path, { jwk: named })).body).toMatchObject({ kid: "key-1" });
    const taken = await admin.post(path, { jwk: named });
    expect([taken.status, taken.body.type]).toEqual([409, "urn:daykey:problem:kid-exists"]);
    expect((await admin.post(`${path}/key-1/revoke`)).status).toBe(204);
    expect((await admin.post(`${path}/key-1/revoke`)).status).toBe(204);
    expect((await admin.post(`${path}/key-2/revoke`)).status).toBe(404);
    const [first] = (await admin.get(path)).body.items;
    expect([first.kid, first.revoked_at]).toEqual(["key-1", expect.any(String)]);
    const news = (await admin.get("/revocations")).body.items;
    const subject = `${body.client.client_id} key-1`;
    expect(news).toContainEqual(expect.objectContaining({ kind: "credential", subject }));
  });

  const good = ec().publicKey.export({ format: "jwk" });
  test.each<[string, Json]>([
    ["a private key", ec().privateKey.export({ format: "jwk" })],
    ["a private RSA key", rsa(2048).privateKey.export({ format: "jwk" })],
    ["a shared secret", { kty: "oct", k: "AAAA" }],
    ["RSA of 1024 bits", rsa(1024).publicKey.export({ format: "jwk" })],
    ["P-384", ec("P-384").publicKey.export({ format: "jwk" })],
    ["secp256k1", ec("secp256k1").publicKey.export({ format: "jwk" })],
    ["X25519", generateKeyPairSync("x25519").publicKey.export({ format: "jwk" })],
    ["a point off the curve", { ...good, x: good.y, y: good.y }],
    ["a short x", { ...good, x: "AAAA" }],
    ["alg none", { ...good, alg: "none" }],
    ["alg HS256", { ...good, alg: "HS256" }],
    ["another key's alg", { ...good, alg: "RS256" }],
    ["use enc", { ...good, use: "enc" }],
    ["x5u", { ...good, x5u: "https://evil.example.test" }],
    ["a kid with a space", { ...good, kid: "a b" }],
    ["a kid that is a path", { ...good, kid: ".." }],
    ["a kid with NUL", { ...good, kid: "a\u0000" }],
    ["a kid of 129 characters", { ...good, kid: "x".repeat(129) }],
    ["a set of keys", { keys: [good] }],
  ])("%s is 400", async (_name, jwk) => {
    const answer = await admin.post(`/clients/${admin.client.clientId}/keys`, { jwk });
    expect(answer.status, answer.text).toBe(400);
  });

  test("a private key is refused with the reason, and its number is not told back", async () => {
    const jwk = ec().privateKey.export({ format: "jwk" });
    const answer = await admin.post(`/clients/${admin.client.clientId}/keys`, { jwk });
    expect(answer.body.detail).toBe(
      "jwk.d: belongs to a private key, which only its client may have",
    );
    expect(answer.text).not.toContain(jwk.d);
  });

  test("a kid with signs that paths have is found again, encoded", async () => {
    const { body } = await admin.create({ secret: null });
    const path = `/clients/${body.client.client_id}/keys`;
    for (const kid of ["a/b?c#d", "%2e%2e", "https://keys.example.test/1", "...", "'--"]) {
      const added = await admin.post(path, { jwk: { ...good, kid } });
      expect([added.status, added.body.kid]).toEqual([201, kid]);
      expect((await admin.post(`${path}/${encodeURIComponent(kid)}/revoke`)).status).toBe(204);
    }
  });

  test("an eleventh live one is 409", async () => {
    const { body } = await admin.create({ secret: null });
    const path = `/clients/${body.client.client_id}/keys`;
    for (let i = 0; i < 10; i++) {
      expect((await admin.post(path, { jwk: { ...good, kid: `k${i}` } })).status).toBe(201);
    }
    expect((await admin.post(path, { jwk: { ...good, kid: "k10" } })).status).toBe(409);
    await admin.post(`${path}/k0/revoke`);
    expect((await admin.post(path, { jwk: { ...good, kid: "k10" } })).status).toBe(201);
  });
});

describe("resources", () => {
  const uri = "https://new.example.test/v1?x=%2F";
  const path = `/resources/${encodeURIComponent(uri)}`;
  const resource = { uri, name: "new", scopes: ["read", "write"], owner_client_id: null };

  test("are made, read by their encoded URI, changed and removed; a client can have them", async () => {
    const made = await admin.post("/resources", { ...resource, owner_client_id: undefined });
    expect([made.status, made.body]).toEqual([201, resource]);
    expect(made.headers.get("location")).toBe(`/admin/v1${path}`);
    expect((await admin.post("/resources", resource)).status).toBe(409);
    await server.look();
    await admin.create({ client_id: "user", resources: [uri], scopes: ["write"] });
    const used = await admin.call("DELETE", path);
    expect([used.status, used.body.type]).toEqual([409, "urn:daykey:problem:resource-in-use"]);

    const rows = (await admin.audit()).length;
    const same = await admin.call("PUT", path, made.body, { "if-match": made.etag });
    expect([same.status, same.etag]).toEqual([200, made.etag]);
    expect((await admin.audit()).length).toBe(rows);

    const wanted = { ...resource, owner_client_id: "user" };
    const stale = await admin.call("PUT", path, wanted, { "if-match": '"other"' });
    expect(stale.status).toBe(412);
    const put = await admin.call("PUT", path, wanted, { "if-match": made.etag });
    expect([put.status, put.body]).toEqual([200, wanted]);
    expect((await admin.call("PUT", path, resource, { "if-match": made.etag })).status).toBe(412);
    await admin.call("DELETE", "/clients/user");
    expect((await admin.call("DELETE", path)).status).toBe(204);
    expect((await admin.call("DELETE", path)).status).toBe(404);
  });

  test("A8: of ten PUTs with one ETag at once, one is 200 and the others 412", async () => {
    const made = await admin.post("/resources", { ...resource, uri: "https://race.example.test" });
    const at = `/resources/${encodeURIComponent("https://race.example.test")}`;
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        admin.call("PUT", at, { ...made.body, name: `name ${i}` }, { "if-match": made.etag }),
      ),
    );
    const statuses = statusesOf(answers);
    expect(statuses).toEqual([200, ...Array.from({ length: 9 }, () => 412)]);
  });

  test.each([
    { uri: "relative/path" },
    { uri: "https://x.example.test/#fragment" },
    { uri: "https://x.example.test/ space" },
    { uri: "urn:daykey:issuer" },
    { uri: "" },
    { scopes: [] },
    { scopes: ["a b"] },
    { scopes: ["a", "a"] },
    { scopes: ['"'] },
    { owner_client_id: "" },
  ])("with %o are 400", async (part) => {
    expect((await admin.post("/resources", { ...resource, ...part })).status).toBe(400);
  });

  test("an owner that is no client is 409, and so is another resource's body", async () => {
    const answer = await admin.post("/resources", { ...resource, owner_client_id: "nobody" });
    expect([answer.status, answer.body.type]).toEqual([409, "urn:daykey:problem:unknown-owner"]);
    const api = `/resources/${encodeURIComponent(API)}`;
    const { body } = await admin.get(api);
    expect((await admin.call("PUT", api, { ...body, uri })).status).toBe(409);
  });

  test("the issuer's own cannot be changed or removed; its row's name is no address", async () => {
    const issuer = `/resources/${encodeURIComponent(ISSUER)}`;
    const { body } = await admin.get(issuer);
    expect(body.scopes).toContain("daykey:admin");
    expect((await admin.call("PUT", issuer, body)).status).toBe(200);
    expect((await admin.call("PUT", issuer, { ...body, scopes: ["x"] })).status).toBe(409);
    expect((await admin.call("DELETE", issuer)).status).toBe(409);
    expect((await admin.get("/resources/urn%3Adaykey%3Aissuer")).status).toBe(404);
    expect((await admin.get("/resources")).text).not.toContain("urn:daykey:issuer");
  });
});

describe("the server's keys", () => {
  async function signingKeys(): Promise<Json[]> {
    const { body } = await admin.get("/keys");
    return body.items.filter(({ purpose }: Json) => purpose === "access_token");
  }

  async function jwks(): Promise<JSONWebKeySet> {
    const answer = await fetch(`${server.url}/.well-known/jwks.json`);
    return (await answer.json()) as JSONWebKeySet;
  }

  async function tokenOf(client: Parameters<TestAuthServer["clientCredentials"]>[0]) {
    return String((await server.clientCredentials(client)).body["access_token"]);
  }

  test("rotate publishes the next key; at once, it signs at once; no secret of a key is told", async () => {
    // Keys begin at whole seconds: the first one's has to be over.
    server.advance(1);
    const [current] = await signingKeys();
    expect(current.state).toBe("current");
    const next = await admin.post("/keys/rotate");
    expect(next.body).toMatchObject({ state: "next", purpose: "access_token", algorithm: "ES256" });
    const ahead = Date.parse(next.body.active_at) / 1000 - server.now();
    expect(Math.abs(ahead - server.config.keyOverlapSeconds)).toBeLessThan(5);
    const now = await admin.post("/keys/rotate", { active_in_seconds: 0 });
    expect(now.body.state).toBe("current");
    expect((await signingKeys()).map(({ kid, state }) => [kid, state])).toEqual([
      [current.kid, "retired"],
      [now.body.kid, "current"],
      [next.body.kid, "next"],
    ]);
    const published = await jwks();
    expect(published.keys.length).toBe(3);
    const token = await tokenOf(await server.createClient());
    const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(published));
    expect(protectedHeader.kid).toBe(now.body.kid);
    expect((await admin.get("/keys")).text).not.toMatch(/sealed|"d"|"k"/);
  });

  test("a revoked key leaves the JWKS at once; its tokens are dead, the next key signs", async () => {
    const client = await server.createClient();
    const [, current, next] = await signingKeys();
    const before = await tokenOf(client);
    expect((await admin.post(`/keys/${current.kid}/revoke`)).status).toBe(204);
    const kids = (await jwks()).keys.map(({ kid }) => kid);
    expect(kids).not.toContain(current.kid);
    expect((await signingKeys()).at(-1)).toMatchObject({ kid: next.kid, state: "current" });
    // The admin's own token was signed by a key that is still there, or it is had anew.
    const again = await createTestAdmin(server);
    const news = (await again.get("/revocations")).body.items;
    expect(news).toContainEqual({
      kind: "signing_key",
      subject: current.kid,
      epoch: null,
      expires_at: null,
    });
    const after = await tokenOf(client);
    const keySet = createLocalJWKSet(await jwks());
    expect((await jwtVerify(after, keySet)).protectedHeader.kid).toBe(next.kid);
    await expect(jwtVerify(before, keySet)).rejects.toThrow("no applicable key");
  });

  test("the ring is never empty: revoking every key, one after another, leaves one that signs", async () => {
    for (let i = 0; i < 4; i++) {
      const who = await createTestAdmin(server);
      for (const { kid } of (await who.get("/keys")).body.items) {
        const answer = await (await createTestAdmin(server)).post(`/keys/${kid}/revoke`);
        expect(answer.status).toBe(204);
      }
    }
    const who = await createTestAdmin(server);
    const { items } = (await who.get("/keys")).body;
    for (const purpose of new Set<string>(items.map((key: Json) => key.purpose))) {
      const states = items
        .filter((key: Json) => key.purpose === purpose)
        .map((key: Json) => key.state);
      expect(
        states.filter((state: string) => state === "current"),
        purpose,
      ).toEqual(["current"]);
    }
    expect((await who.post("/keys/unknown-kid/revoke")).status).toBe(404);
    const opened = await server.clientCredentials(await server.createClient());
    expect(opened.status).toBe(200);
    admin = who;
  });
});

describe("grants", () => {
  test("an operator ends a grant by its id, used or not, and once", async () => {
    const client = await server.createClient();
    for (const uses of [0, 1]) {
      let token = (await server.clientCredentials(client)).body["refresh_token"];
      const grant = readToken(String(token)).grant.id;
      for (let i = 0; i < uses; i++)
        token = (await server.refresh(client, token)).body["refresh_token"];
      const first = await admin.post("/revocations", { grant });
      const state = uses === 0 ? "unseen" : "ended";
      expect([first.status, first.body]).toEqual([200, { grant, state }]);
      const rows = (await admin.audit()).length;
      const second = await admin.post("/revocations", { grant });
      expect([second.status, second.body]).toEqual([200, { grant, state: "ended_before" }]);
      expect((await admin.audit()).length).toBe(rows);
      expect((await server.refresh(client, token)).status).toBe(400);
      const { items } = (await admin.get("/revocations")).body;
      expect(items).toContainEqual({
        kind: "grant",
        subject: grant,
        epoch: null,
        expires_at: expect.stringMatching(/Z$/),
      });
    }
  });
});

test("a label is that of one thing as it was made: what is made anew under its name carries none", async () => {
  const uri = "https://labelled.example.test";
  const path = `/resources/${encodeURIComponent(uri)}`;
  const make = async () =>
    admin.post("/resources", { uri, name: "l", scopes: ["l:read"], owner_client_id: null });
  await make();
  const { body: made } = await admin.create();
  const items = [
    { kind: "resource", id: uri },
    { kind: "client", id: made.client.client_id },
    { kind: "trust_rule", id: "nobody" },
  ];
  const labels = async () => {
    const all: Json[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const { body }: { body: Json } = await admin.get(
        `/labels?limit=1${cursor && `&cursor=${cursor}`}`,
      );
      all.push(...body.items);
      cursor = body.next_cursor;
    }
    return all;
  };
  expect((await admin.call("PUT", "/labels/one", { items })).status).toBe(204);
  expect(await labels()).toEqual([
    { kind: "client", id: made.client.client_id, label: "one" },
    { kind: "resource", id: uri, label: "one" },
  ]);
  await admin.call("PUT", "/labels/two", { items: items.slice(0, 1) });
  // Once more changes nothing, and is not recorded.
  await admin.call("PUT", "/labels/two", { items: items.slice(0, 1) });
  const last = (await admin.audit()).filter(({ action }) => action === "label.set");
  expect(last.map(({ target }) => target)).toEqual(["one", "two"]);
  await admin.call("DELETE", path);
  await make();
  expect(await labels()).toEqual([{ kind: "client", id: made.client.client_id, label: "one" }]);
  const { body: client } = await admin.get(`/clients/${made.client.client_id}`);
  expect(client.version).toBe(made.client.version);
});
