import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
beforeAll(async () => {
  server = await startAuthServer();
});
afterAll(() => server.stop());

const PATHS = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

/** fetch sets Host itself. */
async function getWithHost(path: string, headers: Record<string, string>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  request(`${server.url}${path}`, { headers }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (part: string) => (text += part));
    response.on("end", () => resolve(text));
  })
    .on("error", reject)
    .end();
  return promise;
}

test("RFC 8414 §2: the document says what there is, the issuer exactly as in the tokens", async () => {
  const response = await fetch(`${server.url}${PATHS[0]}`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("public, max-age=300");
  const body = (await response.json()) as { scopes_supported: string[] };
  expect(body).toEqual({
    issuer: ISSUER,
    authorization_endpoint: `${ISSUER}/oauth2/authorize`,
    token_endpoint: `${ISSUER}/oauth2/token`,
    jwks_uri: `${ISSUER}/.well-known/jwks.json`,
    scopes_supported: expect.any(Array),
    grant_types_supported: ["client_credentials", "refresh_token"],
    introspection_endpoint: `${ISSUER}/oauth2/introspect`,
    revocation_endpoint: `${ISSUER}/oauth2/revoke`,
    ...Object.fromEntries(
      ["token", "introspection", "revocation"].flatMap((name) => [
        [
          `${name}_endpoint_auth_methods_supported`,
          ["client_secret_basic", "client_secret_post", "client_secret_hash", "private_key_jwt"],
        ],
        [
          `${name}_endpoint_auth_signing_alg_values_supported`,
          ["ES256", "PS256", "RS256", "Ed25519", "EdDSA"],
        ],
      ]),
    ),
    response_types_supported: [],
    dpop_signing_alg_values_supported: ["ES256", "Ed25519", "EdDSA"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  });
  expect(body.scopes_supported.toSorted()).toEqual([
    "daykey:admin",
    "introspect",
    "other:write",
    "primes:check",
    "revocations:read",
    "time:read",
  ]);
});

test("OpenID Connect's address has the same document, byte for byte", async () => {
  const [oauth, openid] = await Promise.all(
    PATHS.map(async (path) => (await fetch(`${server.url}${path}`)).text()),
  );
  expect(openid).toBe(oauth);
});

test("H2: the issuer comes from the settings, whatever Host or proxy headers say", async () => {
  for (const path of PATHS) {
    const plain = await (await fetch(`${server.url}${path}`)).text();
    for (const headers of [
      { host: "evil.example" },
      { host: "auth.example.test:1", "x-forwarded-host": "evil.example" },
      { host: "a", forwarded: "host=evil.example;proto=http", "x-forwarded-proto": "http" },
    ]) {
      expect(await getWithHost(path, headers)).toBe(plain);
    }
  }
});

test("every endpoint it names is there", async () => {
  const body = (await (await fetch(`${server.url}${PATHS[0]}`)).json()) as Record<string, string>;
  for (const name of ["authorization_endpoint", "token_endpoint", "jwks_uri"]) {
    const path = body[name]?.slice(ISSUER.length) ?? "";
    const response = await fetch(`${server.url}${path}`, { method: "OPTIONS" });
    await response.arrayBuffer();
    expect(response.status, path).toBe(405);
  }
});
