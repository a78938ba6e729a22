/** The tokens that egress holds: replaced, kept over an outage, got by a key, and sent only where TLS is good. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { join } from "node:path";
import { startAuthServer } from "@daykey/auth-server/test/auth-server";
import { scrape } from "@daykey/service/test/metrics";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type EgressBench, portOf, startEgressBench, type TestEgress } from "../test/egress.ts";

let bench: EgressBench;
beforeAll(async () => {
  bench = await startEgressBench();
});
afterAll(() => bench.stop());
beforeEach(() => bench.reset());

async function statusOf(egress: TestEgress, name: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(`${egress.url}/${name}/x`, init);
  await response.arrayBuffer();
  return response.status;
}

test("RFC 6750 §3.1: a token that is refused as invalid is replaced, once, where the request can be repeated", async () => {
  const { seen, upstreamUrl } = bench;
  const file = await bench.credentialFile("replaced.json");
  const egress = await bench.start(
    `upstreams: { one: { url: '${upstreamUrl}', credential: '${file}' } }`,
  );
  bench.answer(async (req, res) => {
    await bench.see(req);
    if (seen.length > 1) res.end("ok");
    else res.writeHead(401, { "WWW-Authenticate": 'Bearer error="invalid_token"' }).end();
  });
  expect([await statusOf(egress, "one"), seen.length]).toEqual([200, 2]);
  expect(bench.bearer(0)).not.toBe(bench.bearer(1));
  seen.length = 0;
  expect([await statusOf(egress, "one", { method: "POST", body: "x" }), seen.length]).toEqual([
    401, 1,
  ]);
});

test.each<[string, (res: ServerResponse) => void]>([
  ["never ends", (res) => void setInterval(() => res.write("x".repeat(1000)), 1).unref()],
  ["stands still", (res) => void res.write("x")],
])("the body of a refusal that is not passed on is not taken either: it %s", async (_, write) => {
  const { seen, upstreamUrl } = bench;
  const file = await bench.credentialFile("endless.json");
  const egress = await bench.start(
    `upstreams: { one: { url: '${upstreamUrl}', credential: '${file}' } }`,
  );
  const ended = new Promise<void>((resolve) => {
    bench.answer(async (req, res) => {
      await bench.see(req);
      if (seen.length > 1) return res.end("ok");
      res.once("close", resolve);
      res.writeHead(401, { "WWW-Authenticate": 'Bearer error="invalid_token"' });
      return write(res);
    });
  });
  expect([await statusOf(egress, "one"), seen.length]).toEqual([200, 2]);
  await ended;
});

test("while the token server is away the last good token serves; without one it is 503", async () => {
  const away = await startAuthServer({ database: bench.auth.database });
  const path = await bench.credentialFile("away.json", away);
  const entry = `{ url: '${bench.upstreamUrl}', credential: '${path}' }`;
  const egress = await bench.start(`upstreams: { held: ${entry}, none: ${entry} }`);
  expect(await statusOf(egress, "held")).toBe(200);
  await away.stop();
  expect([
    await statusOf(egress, "held"),
    await statusOf(egress, "none"),
    await statusOf(egress, "held"),
  ]).toEqual([200, 503, 200]);
  const counted = await scrape(`http://127.0.0.1:${egress.privatePort}`);
  expect(counted.values("egress_faults_total")['{upstream="none",reason="no_token"}']).toBe(1);
  expect(counted.values("egress_requests_total")['{upstream="held",status="200"}']).toBe(3);
});

test("private_key_jwt: the key's file is all that is needed", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const path = join(bench.folder, "key.json");
  writeFileSync(path, JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid: "k1" }));
  const issuer = createServer((req, res) => {
    void bench.see(req).then(() => {
      res.setHeader("Content-Type", "application/json");
      const address = `http://127.0.0.1:${portOf(issuer)}`;
      const metadata = { issuer: address, token_endpoint: `${address}/token` };
      const token = { access_token: "of-the-key", token_type: "Bearer", expires_in: 600 };
      const isMetadata = req.url?.startsWith("/.well-known/") === true;
      return res.end(JSON.stringify(isMetadata ? { ...metadata, jwks_uri: address } : token));
    });
  }).listen(0, "127.0.0.1");
  await once(issuer, "listening");
  const egress = await bench.start(`
upstreams:
  one:
    url: '${bench.upstreamUrl}'
    credential: '${path}'
    method: private_key_jwt
    issuer: 'http://127.0.0.1:${portOf(issuer)}'
    client_id: billing
`);
  expect(await statusOf(egress, "one")).toBe(200);
  const [form] = bench.seen.filter(({ line }) => line === "POST /token");
  expect(form?.body).toContain("client_assertion=");
  expect(bench.bearer()).toBe("Bearer of-the-key");
  issuer.closeAllConnections();
  issuer.close();
});

test("no token goes to an upstream whose certificate is not good", async () => {
  const [key, certificate] = [join(bench.folder, "tls.key"), join(bench.folder, "tls.pem")];
  const line = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost -keyout ${key} -out ${certificate}`;
  execFileSync("openssl", line.split(" "), { stdio: "ignore" });
  const options = { key: readFileSync(key), cert: readFileSync(certificate) };
  const secure = createTlsServer(options, bench.listener).listen(0, "127.0.0.1");
  await once(secure, "listening");
  const file = await bench.credentialFile("tls.json");
  const url = `https://localhost:${portOf(secure)}`;
  const egress = await bench.start(`upstreams: { one: { url: '${url}', credential: '${file}' } }`);
  expect([await statusOf(egress, "one"), bench.seen]).toEqual([502, []]);
  secure.closeAllConnections();
  secure.close();
});
