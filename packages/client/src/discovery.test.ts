import { afterAll, beforeAll, expect, test } from "vitest";
import { client } from "../test/demo.ts";
import { createTime, startTestServer, type TestServer, tokens } from "../test/test-server.ts";
import { discovery } from "./discovery.ts";
import { oneTimeForm } from "./one-time-form.ts";
import { tlsClientAuth } from "./tls-client-auth.ts";
import { createTokenSource } from "./token-source.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const document = (changes: object = {}): object => ({
  issuer: server.url,
  token_endpoint: `${server.url}/oauth2/token`,
  jwks_uri: `${server.url}/.well-known/jwks.json`,
  grant_types_supported: ["client_credentials"],
  ...changes,
});

test("the metadata is asked at its well-known place (RFC 8414 §3)", async () => {
  server.answer(() => ({ body: document() }));
  expect(await discovery(server.url)).toEqual({
    issuer: server.url,
    tokenEndpoint: `${server.url}/oauth2/token`,
    mtlsTokenEndpoint: undefined,
    jwksUri: `${server.url}/.well-known/jwks.json`,
    introspectionEndpoint: undefined,
    revocationEndpoint: undefined,
  });
  expect(server.requests.at(-1)?.target).toBe("/.well-known/oauth-authorization-server");
});

test("a client with a certificate asks at the alias (RFC 8705 §5), and others do not", async () => {
  const aliases = { token_endpoint: `${server.url}/mtls/token` };
  const { clientId } = { clientId: client.client_id };
  const material = { secret: client.client_secret, salt: client.salt };
  const credentials = [tlsClientAuth({ clientId }), oneTimeForm({ clientId, material })];
  const asked = await Promise.all(
    credentials.map(async (credential) => {
      server.answer(({ target }) =>
        target.includes("well-known")
          ? { body: document({ mtls_endpoint_aliases: aliases }) }
          : tokens(1),
      );
      await createTokenSource({ issuer: server.url, credential }).token();
      return server.requests
        .map(({ target }) => target)
        .filter((target) => target.endsWith("/token"));
    }),
  );
  expect(asked.at(-1)?.toSorted()).toEqual(["/mtls/token", "/oauth2/token"]);
});

test("the well-known part goes before an issuer's path (RFC 8414 §3.1)", async () => {
  for (const path of ["/tenant", "/tenant/"]) {
    const issuer = server.url + path;
    server.answer(() => ({ body: document({ issuer }) }));
    expect((await discovery(issuer)).issuer).toBe(issuer);
    expect(server.requests.at(-1)?.target).toBe("/.well-known/oauth-authorization-server/tenant");
  }
});

test.each([
  ["a slash more", (url: string) => `${url}/`],
  ["another case", (url: string) => url.toUpperCase()],
  ["another host", () => "https://evil.example"],
  ["none", () => undefined],
  ["a list", (url: string) => [url]],
])("issuer_mismatch: compared byte for byte (RFC 8414 §3.3), %s", async (_, issuerOf) => {
  server.answer(() => ({ body: document({ issuer: issuerOf(server.url) }) }));
  await expect(discovery(server.url)).rejects.toMatchObject({ code: "issuer_mismatch" });
});

test.each([
  ["invalid_response", { token_endpoint: undefined }],
  ["invalid_response", { token_endpoint: 7 }],
  ["invalid_response", { jwks_uri: ["x"] }],
  ["invalid_response", { mtls_endpoint_aliases: ["x"] }],
  ["insecure_url", { mtls_endpoint_aliases: { token_endpoint: "http://auth.example.com/t" } }],
  ["insecure_url", { token_endpoint: "/oauth2/token" }],
  ["insecure_url", { token_endpoint: "http://auth.example.com/oauth2/token" }],
  ["insecure_url", { token_endpoint: "file:///etc/passwd" }],
  ["insecure_url", { token_endpoint: "https://user:pw@auth.example.com/" }],
  ["insecure_url", { revocation_endpoint: "http://auth.example.com/oauth2/revoke" }],
])("%s: %j", async (code, changes) => {
  server.answer(() => ({ body: document(changes) }));
  await expect(discovery(server.url)).rejects.toMatchObject({ code });
});

test.each([404, 500, 301])("metadata_endpoint: %d, and no redirect is followed", async (status) => {
  const before = server.requests.length;
  server.answer(() => ({ status, headers: { location: "/elsewhere" } }));
  const expected = { code: "metadata_endpoint", status };
  await expect(discovery(server.url)).rejects.toMatchObject(expected);
  expect(server.requests.length).toBe(before + 1);
});

test("timeout and an aborted signal end it", async () => {
  server.answer(() => "hang");
  await expect(discovery(server.url, { timeoutSeconds: 0.05 })).rejects.toMatchObject({
    code: "timeout",
  });
  const controller = new AbortController();
  const asked = discovery(server.url, { signal: controller.signal });
  controller.abort(new Error("no longer needed"));
  await expect(asked).rejects.toThrow("no longer needed");
});

test.each([
  "http://auth.example.com",
  "https://auth.example.com?a=1",
  "https://auth.example.com#a",
  "https://a:b@auth.example.com",
  "auth.example.com",
  "",
])("insecure_url: an issuer that cannot be one is not asked, %j", async (issuer) => {
  await expect(discovery(issuer)).rejects.toMatchObject({ code: "insecure_url" });
});

test("a source without a token endpoint asks once, and again after a failure", async () => {
  const time = createTime();
  const { platform } = time;
  const { client_id: clientId, client_secret: secret, salt } = client;
  const credential = oneTimeForm({ clientId, material: { secret, salt } });
  const source = createTokenSource({ issuer: server.url, credential, platform });
  server.requests.length = 0;
  server.answer(() => ({ status: 404 }));
  await expect(source.token()).rejects.toMatchObject({ code: "metadata_endpoint" });
  time.now += 1;
  server.answer(({ method }, count) => (method === "GET" ? { body: document() } : tokens(count)));
  await source.token();
  time.now += 600;
  await source.token();
  expect(server.requests.map(({ method, target }) => [method, target])).toEqual([
    ["GET", "/.well-known/oauth-authorization-server"],
    ["GET", "/.well-known/oauth-authorization-server"],
    ["POST", "/oauth2/token"],
    ["POST", "/oauth2/token"],
  ]);
});
