/** Signed requests at the resource (RFC 9421, docs/protocol.md §5.4): what is let through, and how often. */
import { readSignatureKey } from "@daykey/client/signature-key";
import { signedFetch } from "@daykey/client/signed-fetch";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  malformed,
  refusalOf,
  RESOURCE,
  type TestResourceServer,
} from "../../test/resource-server.ts";
import {
  ed25519,
  hmac,
  type SignatureDesk,
  startSignatureDesk,
} from "../../test/signature-desk.ts";
import { createSignatureKey, signedHeaders } from "../../test/signature-key.ts";

const DIGEST = "Content-Digest is not that of the body.";

let desk: SignatureDesk;
let api: TestResourceServer;
let expectRefused: SignatureDesk["expectRefused"];
beforeAll(async () => {
  desk = await startSignatureDesk();
  ({ api, expectRefused } = desk);
});
afterAll(() => api.stop());

describe.each([hmac, ed25519])("$file.algorithm", (key) => {
  test("a signed request is its client's access", async () => {
    const answer = await desk.send({ key, parameters: { alg: key.file.algorithm, tag: "daykey" } });
    expect(answer.status).toBe(200);
    expect(desk.lastRequest()).toMatchObject({
      via: "http_signature",
      client: "billing-cron",
      kid: key.id,
    });
  });

  test("the SDK's requests are let through, with and without a body", async () => {
    const platform = { clock: api.now };
    const call = signedFetch(await readSignatureKey(key.file), { origin: api.url, platform });
    expect(await (await call("/time?zone=Asia/Kolkata")).json()).toMatchObject({
      zone: "Asia/Kolkata",
    });
    const headers = { "content-type": "application/json" };
    const prime = await call("/primes", { method: "POST", headers, body: '{"number":97}' });
    expect(await prime.json()).toMatchObject({ number: 97, prime: true });
  });

  test("any change of what is covered is refused", async () => {
    const created = Math.floor(api.now());
    const body = '{"number":97}';
    const toSign = { key, created, method: "POST", target: "/primes?a=1", body };
    const ask = async (target: string, changed: { body?: string; headers?: object } = {}) =>
      api.request(target, {
        body: changed.body ?? body,
        headers: { ...(await signedHeaders(toSign)), ...changed.headers },
      });
    expect((await ask("POST /primes?a=1")).status).toBe(200);
    await expectRefused(await ask("POST /primes?a=2"), "wrong_signature");
    await expectRefused(await ask("POST /primes"), "wrong_signature");
    await expectRefused(
      await ask("POST /primes?a=1", { body: '{"number":98}' }),
      "wrong_digest",
      DIGEST,
    );
    const headers = { "content-type": "application/json; charset=utf-8" };
    await expectRefused(await ask("POST /primes?a=1", { headers }), "wrong_signature");
  });

  test("what is signed for GET is not for HEAD", async () => {
    const headers = await signedHeaders({ key, created: Math.floor(api.now()) });
    expect((await api.request("HEAD /time", { headers })).status).toBe(401);
    expect((await api.request("GET /time", { headers })).status).toBe(200);
  });

  test("each byte of a signature counts", async () => {
    const headers = await signedHeaders({ key, created: Math.floor(api.now()) });
    const bytes = Buffer.from(headers["signature"]?.slice(5, -1) ?? "", "base64");
    for (const index of bytes.keys()) {
      const forged = Buffer.from(bytes);
      forged[index] = (forged[index] ?? 0) ^ 1;
      const signature = `sig=:${forged.toString("base64")}:`;
      const { status } = await api.request("GET /time", { headers: { ...headers, signature } });
      expect(status).toBe(401);
    }
    expect((await api.request("GET /time", { headers })).status).toBe(200);
  });
});

describe("replay", () => {
  test("a nonce works once, whatever else comes of its request", async () => {
    const headers = await signedHeaders({
      key: hmac,
      created: Math.floor(api.now()),
      parameters: { nonce: "once" },
    });
    expect((await api.request("GET /time", { headers })).status).toBe(200);
    await expectRefused(await api.request("GET /time", { headers }), "replayed");
    await expectRefused(
      await desk.send({ target: "/time?zone=UTC", parameters: { nonce: "once" } }),
      "replayed",
    );
    expect((await desk.send({ key: ed25519, parameters: { nonce: "once" } })).status).toBe(200);
  });

  test("of eight at once one is served", async () => {
    const headers = await signedHeaders({ key: hmac, created: Math.floor(api.now()) });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => api.request("GET /time", { headers })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test("who cannot sign uses up no nonce", async () => {
    const parameters = { nonce: "spared" };
    const stranger = { ...createSignatureKey(), id: hmac.id };
    await expectRefused(await desk.send({ key: stranger, parameters }), "wrong_signature");
    const body = '{"number":97}';
    const post = { method: "POST", target: "/primes", body, parameters };
    const signed = await signedHeaders({ key: hmac, created: Math.floor(api.now()), ...post });
    await expectRefused(
      await api.request("POST /primes", { headers: signed, body: '{"number":98}' }),
      "wrong_digest",
      DIGEST,
    );
    expect((await api.request("POST /primes", { headers: signed, body })).status).toBe(200);
  });
});

test("the authority is the resource's own, whatever Host says", async () => {
  await expectRefused(await desk.send({ resource: "https://other.example" }), "wrong_signature");
  await expectRefused(
    await desk.send({
      resource: "http://api.example.test",
      components: ["@method", "@target-uri"],
    }),
    "wrong_signature",
  );
  expect((await desk.send({ components: ["@method", "@target-uri"] })).status).toBe(200);
  expect(
    (await desk.send({ components: ["@query", "@path", "@authority", "@method", "@scheme"] }))
      .status,
  ).toBe(200);
  const lines = Object.entries(await signedHeaders({ key: hmac, created: Math.floor(api.now()) }));
  const fields = lines.map(([name, value]) => `${name}: ${value}`).join("\r\n");
  const raw = await api.exchange(
    `GET /time HTTP/1.1\r\nHost: elsewhere.example\r\n${fields}\r\nConnection: close\r\n\r\n`,
  );
  expect(raw).toMatch(/^HTTP\/1\.1 200 /);
});

test.each([
  ["http://api.example.test/time", 200],
  ["HTTPS://API.example.test:443/time", 200],
  ["http://api.example.test/primes/97", 401],
  ["http://other.example/time", 421],
  ["http://api.example.test:8080/time", 421],
  ["http://api.example.test:443/time", 421],
  ["http://api.example.test.other.example/time", 421],
  ["http://api.example.test@other.example/time", 400],
  ["/time#x", 400],
])("of a request for %s the authority and the path are signed", async (target, status) => {
  const signed = await signedHeaders({ key: hmac, created: Math.floor(api.now()) });
  const fields = Object.entries(signed)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\r\n");
  const ask = (to: string) =>
    api.exchange(
      `GET ${to} HTTP/1.1\r\nHost: api.example.test\r\n${fields}\r\nConnection: close\r\n\r\n`,
    );
  expect(await ask(target)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  // What was refused has used up no nonce.
  expect(await ask("/time")).toMatch(status === 200 ? /^HTTP\/1\.1 401 / : /^HTTP\/1\.1 200 /);
});

test("V8: beside another credential it is 400", async () => {
  const headers = await signedHeaders({ key: hmac, created: Math.floor(api.now()) });
  const answer = await api.request("GET /time", { token: api.token(), headers });
  expect(refusalOf(answer)).toEqual(malformed("Use exactly one credential."));
});

test("a signed body is parsed as any, with the route's own limit", async () => {
  const post = (body: string) => desk.send({ method: "POST", target: "/primes", body });
  expect((await post('{"number":1.5}')).status).toBe(400);
  expect((await post("{")).body).toMatchObject({ type: "urn:daykey:problem:invalid-json" });
  expect((await post(" ".repeat(3_000_000))).status).toBe(413);
});

test("a key is asked about once in seconds, and its revocation holds at once", async () => {
  const key = createSignatureKey();
  desk.keys.set(key.id, key);
  const asked = (): number => api.authServer.keyQuestions.filter((id) => id === key.id).length;
  for (let count = 0; count < 3; count++) expect((await desk.send({ key })).status).toBe(200);
  expect(asked()).toBe(1);
  api.authServer
    .feed()
    .revoke({ kind: "credential", subject: `billing-cron ${key.id}`, expires_at: null });
  await expect.poll(async () => (await desk.send({ key })).status).toBe(401);
  expect(desk.lastRequest()).toMatchObject({ reason: "revoked", kid: key.id });
  // The news ends what was remembered (docs/protocol.md §5.2).
  expect(asked()).toBe(2);
});

test("L1: neither signature, nonce nor key is logged", async () => {
  const parameters = { nonce: "canary-nonce" };
  const headers = await signedHeaders({ key: hmac, created: Math.floor(api.now()), parameters });
  await api.request("GET /time", { headers });
  const secret = hmac.file.secret ?? "";
  for (const canary of [
    "canary-nonce",
    headers["signature"]?.slice(5, 30) ?? "",
    secret,
    RESOURCE + "/time",
  ]) {
    expect(api.logText()).not.toContain(canary);
  }
});
