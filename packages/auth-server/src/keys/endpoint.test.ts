import { afterAll, beforeAll, expect, test } from "vitest";
import { calculateJwkThumbprint, decodeProtectedHeader, type JWK } from "jose";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
beforeAll(async () => {
  server = await startAuthServer();
});
afterAll(() => server.stop());

async function getJwks(): Promise<{ headers: Headers; keys: JWK[] }> {
  const response = await fetch(`${server.url}/.well-known/jwks.json`);
  expect(response.status).toBe(200);
  const body = (await response.json()) as { keys: JWK[] };
  expect(Object.keys(body)).toEqual(["keys"]);
  return { headers: response.headers, keys: body.keys };
}

test("the JWKS (RFC 7517 §5): public members only, the kid a thumbprint, five minutes fresh", async () => {
  const { headers, keys } = await getJwks();
  expect(headers.get("cache-control")).toBe("public, max-age=300");
  expect(headers.get("content-type")).toBe("application/jwk-set+json");
  expect(keys).toEqual([
    {
      kty: "EC",
      crv: "P-256",
      x: expect.any(String),
      y: expect.any(String),
      kid: await calculateJwkThumbprint(keys[0] as JWK),
      alg: "ES256",
      use: "sig",
    },
  ]);
  const { body } = await server.clientCredentials(await server.createClient());
  expect(decodeProtectedHeader(String(body["access_token"])).kid).toBe(keys[0]?.kid);
});

test("the next key is published before it signs; no key of refresh tokens ever is", async () => {
  const ahead = 30 * 86_400 - 3 * 3600;
  const later = await startAuthServer({ database: server.database, offset: ahead });
  try {
    await server.look();
    const { keys } = await getJwks();
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      expect(Object.keys(key).toSorted()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
    }
    const stored = await server.database.query<{ kid: string }>(
      "select kid from daykey.keys where purpose = 'access_token'",
    );
    expect(new Set(keys.map(({ kid }) => kid))).toEqual(new Set(stored.map(({ kid }) => kid)));
  } finally {
    await later.stop();
  }
});

test("only GET and HEAD, only this path", async () => {
  for (const [method, path, status] of [
    ["HEAD", "/.well-known/jwks.json", 200],
    ["POST", "/.well-known/jwks.json", 405],
    ["GET", "/.well-known/jwks.json/", 404],
    ["GET", "/.well-known/JWKS.json", 404],
  ] as const) {
    const response = await fetch(`${server.url}${path}`, { method });
    await response.arrayBuffer();
    expect(response.status, `${method} ${path}`).toBe(status);
  }
});
