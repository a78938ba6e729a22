/** Clients people already have, unchanged, against the real servers. */
import { execFileSync } from "node:child_process";
import { subtle, type webcrypto } from "node:crypto";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { ClientCredentials } from "simple-oauth2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPrimitives } from "@daykey/auth-server/clients/verifiers";
import { dayFormHash } from "@daykey/common/secret-hash";
import { type CredentialFile, startStack } from "../test/stack.ts";

let demo: CredentialFile;
let admin: CredentialFile;
let adminUrl: string;
let stop: () => Promise<void>;
beforeAll(async () => {
  const stack = await startStack();
  demo = await stack.place.credential("demo-client.json");
  admin = await stack.place.credential("admin-client.json");
  adminUrl = `http://127.0.0.1:${stack.place.env["AUTH_PRIVATE_PORT"]}/admin/v1`;
  stop = stack.stop;
});
afterAll(() => stop());

async function timeStatus(token: unknown): Promise<number> {
  const headers = { authorization: `Bearer ${String(token)}` };
  return (await fetch(`${demo.resource}/time`, { headers })).status;
}

test.each([
  ["client_secret_post", openid.ClientSecretPost],
  ["client_secret_basic", openid.ClientSecretBasic],
])("openid-client discovers, gets a token and refreshes, with %s", async (_name, method) => {
  const config = await openid.discovery(
    new URL(demo.issuer),
    demo.client_id,
    undefined,
    method(demo.client_secret),
    // eslint-disable-next-line typescript/no-deprecated -- the library's mark for plain HTTP, which loopback is
    { execute: [openid.allowInsecureRequests] },
  );
  const tokens = await openid.clientCredentialsGrant(config, { scope: "time:read" });
  expect(tokens).toMatchObject({ token_type: "bearer", scope: "time:read", expires_in: 600 });
  expect(await timeStatus(tokens.access_token)).toBe(200);
  const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? "");
  expect(refreshed.scope).toBe("time:read");
  expect(await timeStatus(refreshed.access_token)).toBe(200);
});

test("openid-client is told invalid_client for a wrong secret", async () => {
  const config = await openid.discovery(
    new URL(demo.issuer),
    demo.client_id,
    "not the secret",
    undefined,
    // eslint-disable-next-line typescript/no-deprecated -- as above
    { execute: [openid.allowInsecureRequests] },
  );
  await expect(openid.clientCredentialsGrant(config)).rejects.toMatchObject({
    error: "invalid_client",
    status: 401,
  });
});

test("oauth4webapi discovers by RFC 8414, gets a token and validates it as RFC 9068", async () => {
  // eslint-disable-next-line typescript/no-deprecated -- as above
  const insecure = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(demo.issuer);
  const server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }),
  );
  const client: oauth.Client = { client_id: demo.client_id };
  const response = await oauth.clientCredentialsGrantRequest(
    server,
    client,
    oauth.ClientSecretBasic(demo.client_secret),
    { resource: demo.resource },
    insecure,
  );
  const tokens = await oauth.processClientCredentialsResponse(server, client, response);
  const request = new Request(`${demo.resource}/time`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  const claims = await oauth.validateJwtAccessToken(server, request, demo.resource, insecure);
  expect(claims).toMatchObject({ client_id: demo.client_id, aud: demo.resource });
  const refreshed = await oauth.processRefreshTokenResponse(
    server,
    client,
    await oauth.refreshTokenGrantRequest(
      server,
      client,
      oauth.ClientSecretPost(demo.client_secret),
      tokens.refresh_token ?? "",
      insecure,
    ),
  );
  expect(await timeStatus(refreshed.access_token)).toBe(200);
});

test.each(["header", "body"] as const)(
  "simple-oauth2 gets a token, credentials in the %s",
  async (authorizationMethod) => {
    const client = new ClientCredentials({
      client: { id: demo.client_id, secret: demo.client_secret },
      auth: { tokenHost: demo.issuer, tokenPath: "/oauth2/token" },
      options: { authorizationMethod },
    });
    const { token } = await client.getToken({ scope: ["time:read", "primes:check"] });
    expect(token).toMatchObject({ token_type: "Bearer", scope: "time:read primes:check" });
    expect(await timeStatus(token["access_token"])).toBe(200);
  },
);

test("curl -u gets a token, with the secret and with today's hash in its place", () => {
  const hash = execFileSync(
    "sh",
    [
      "-c",
      `printf '%s %s' "$(date -u +%F)" "$SALT" | openssl dgst -sha256 -hmac "$CLIENT_SECRET" -r | cut -c1-64`,
    ],
    {
      env: { ...process.env, SALT: demo.salt, CLIENT_SECRET: demo.client_secret },
      encoding: "utf8",
    },
  ).trim();
  for (const password of [demo.client_secret, hash]) {
    const answer = execFileSync(
      "curl",
      ["-s", "-u", `${demo.client_id}:${password}`, "-d", "grant_type=client_credentials"].concat(
        demo.token_endpoint,
      ),
      { encoding: "utf8" },
    );
    expect(JSON.parse(answer)).toMatchObject({ token_type: "Bearer", expires_in: 600 });
  }
});

describe("private_key_jwt, with a key registered over the admin API", () => {
  const clientId = "key-holder";
  let keys: Record<string, webcrypto.CryptoKey>;

  /** @throws {Error} when it is not made */
  async function make(path: string, body: object): Promise<void> {
    const secret = { root: admin.client_secret, salt: admin.salt };
    const answer = await fetch(admin.token_endpoint, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_id: admin.client_id,
        client_secret_hash: await dayFormHash(hashPrimitives, secret, Date.now() / 1000),
      }),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    const response = await fetch(adminUrl + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.status !== 201) throw new Error(`${path}: ${await response.text()}`);
    await response.arrayBuffer();
  }

  beforeAll(async () => {
    await make("/clients", {
      client_id: clientId,
      name: "key holder",
      auth_methods: ["private_key_jwt"],
      grant_types: ["client_credentials", "refresh_token"],
      scopes: ["time:read"],
      resources: [demo.resource],
      secret: null,
    });
    const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
    const pairs = {
      ES256: await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
        "sign",
        "verify",
      ]),
      RS256: await subtle.generateKey({ name: "RSASSA-PKCS1-v1_5", ...rsa }, false, [
        "sign",
        "verify",
      ]),
      Ed25519: (await subtle.generateKey("Ed25519", false, [
        "sign",
        "verify",
      ])) as webcrypto.CryptoKeyPair,
    };
    keys = {};
    for (const [alg, { privateKey, publicKey }] of Object.entries(pairs)) {
      keys[alg] = privateKey;
      const { kty, crv, x, y, n, e } = await subtle.exportKey("jwk", publicKey);
      const jwk = { kty, crv, x, y, n, e, kid: alg, alg };
      await make(`/clients/${clientId}/keys`, { jwk });
    }
  });

  const algorithms = ["ES256", "RS256", "Ed25519"];

  test.each(algorithms)("openid-client gets a token and refreshes, with %s", async (kid) => {
    const key = { key: keys[kid] as webcrypto.CryptoKey, kid };
    const config = await openid.discovery(
      new URL(demo.issuer),
      clientId,
      undefined,
      openid.PrivateKeyJwt(key),
      // eslint-disable-next-line typescript/no-deprecated -- as above
      { execute: [openid.allowInsecureRequests] },
    );
    const tokens = await openid.clientCredentialsGrant(config);
    expect(tokens).toMatchObject({ token_type: "bearer", scope: "time:read", expires_in: 600 });
    const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? "");
    expect(await timeStatus(refreshed.access_token)).toBe(200);
  });

  test.each(algorithms)(
    "oauth4webapi gets a token without naming the key, with %s",
    async (alg) => {
      // eslint-disable-next-line typescript/no-deprecated -- as above
      const insecure = { [oauth.allowInsecureRequests]: true };
      const issuer = new URL(demo.issuer);
      const server = await oauth.processDiscoveryResponse(
        issuer,
        await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }),
      );
      expect(server.token_endpoint_auth_methods_supported).toContain("private_key_jwt");
      expect(server.token_endpoint_auth_signing_alg_values_supported).toContain(alg);
      const client: oauth.Client = { client_id: clientId };
      const response = await oauth.clientCredentialsGrantRequest(
        server,
        client,
        oauth.PrivateKeyJwt(keys[alg] as webcrypto.CryptoKey),
        {},
        insecure,
      );
      const tokens = await oauth.processClientCredentialsResponse(server, client, response);
      expect(await timeStatus(tokens.access_token)).toBe(200);
    },
  );
});
