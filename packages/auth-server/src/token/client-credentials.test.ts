import { afterAll, beforeAll, expect, test } from "vitest";
import { createRemoteJWKSet, decodeJwt, jwtVerify, type JWTVerifyResult } from "jose";
import { SIGNING_ALGORITHMS } from "@daykey/common/protocol";
import {
  type Answer,
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
} from "../../test/auth-server.ts";

let server: TestAuthServer;
beforeAll(async () => {
  server = await startAuthServer();
});
afterAll(() => server.stop());

/** As a resource server does, with the published keys. */
async function verify(
  from: TestAuthServer,
  { body }: Answer,
  algorithms: readonly string[],
): Promise<JWTVerifyResult> {
  const jwks = createRemoteJWKSet(new URL(`${from.url}/.well-known/jwks.json`));
  return jwtVerify(String(body["access_token"]), jwks, {
    issuer: ISSUER,
    audience: API,
    typ: "at+jwt",
    algorithms: [...algorithms],
    currentDate: new Date(from.now() * 1000),
  });
}

test("T1, T5, T7: an RFC 9068 access token, its life as expires_in, never stored", async () => {
  const client = await server.createClient();
  const answer = await server.clientCredentials(client);
  const { status, headers, body } = answer;
  expect(status).toBe(200);
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("pragma")).toBe("no-cache");
  expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
  const { payload, protectedHeader } = await verify(server, answer, ["ES256"]);
  expect(protectedHeader).toEqual({ alg: "ES256", typ: "at+jwt", kid: expect.any(String) });
  expect(payload).toEqual({
    iss: ISSUER,
    sub: client.clientId,
    client_id: client.clientId,
    aud: API,
    iat: expect.any(Number),
    exp: Number(payload.iat) + 600,
    jti: expect.stringMatching(/^[\w-]{22}$/),
    scope: "time:read primes:check",
    gid: expect.stringMatching(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ),
    ep: 0,
    cred: client.kid,
  });
  expect(Math.abs(Number(payload.iat) - server.now())).toBeLessThan(5);
  expect(body).toEqual({
    access_token: body["access_token"],
    token_type: "Bearer",
    expires_in: 600,
    scope: "time:read primes:check",
    refresh_token: expect.stringMatching(/^dkr1\./),
  });
});

// By name: validators that know one name of a key know no other (RFC 8037, RFC 9864).
for (const signingAlgorithm of ["ES256", "RS256", "Ed25519", "EdDSA"] as const) {
  test(`T2: ${signingAlgorithm} tokens verify with the published key, and only as such`, async () => {
    const own = await startAuthServer({ config: { signingAlgorithm } });
    try {
      const answer = await own.clientCredentials(await own.createClient());
      const { protectedHeader } = await verify(own, answer, [signingAlgorithm]);
      expect(protectedHeader).toEqual({
        alg: signingAlgorithm,
        typ: "at+jwt",
        kid: expect.any(String),
      });
      const others = ["HS256", ...SIGNING_ALGORITHMS.filter((name) => name !== signingAlgorithm)];
      await expect(verify(own, answer, others)).rejects.toThrow(/"alg"/);
    } finally {
      await own.stop();
    }
  });
}

test("T5: a client's own access-token life counts, but never beyond ACCESS_TOKEN_MAX", async () => {
  const short = await server.createClient({ accessTokenSeconds: 30 });
  const long = await server.createClient();
  await server.database.query(
    "update daykey.clients set access_token_seconds = 90000 where client_id = $1",
    [long.clientId],
  );
  await server.look();
  for (const [client, life] of [
    [short, 30],
    [long, server.config.accessTokenMaxSeconds],
  ] as const) {
    const { body } = await server.clientCredentials(client);
    const { iat = 0, exp } = decodeJwt(String(body["access_token"]));
    expect(body["expires_in"]).toBe(life);
    expect(exp).toBe(iat + life);
  }
});

test("T8 (RFC 6749 §5.2): a grant type that is not the client's is unauthorized_client", async () => {
  const client = await server.createClient({ grantTypes: ["refresh_token"] });
  const { status, body } = await server.clientCredentials(client);
  expect(status).toBe(400);
  expect(body).toEqual({
    error: "unauthorized_client",
    error_description: "The client may not use this grant type.",
  });
});

test("a client that may not refresh gets no refresh token (RFC 6749 §4.4.3)", async () => {
  const client = await server.createClient({ grantTypes: ["client_credentials"] });
  const { status, body } = await server.clientCredentials(client);
  expect(status).toBe(200);
  expect(Object.keys(body)).toEqual(["access_token", "token_type", "expires_in", "scope"]);
});

test("T4, R12: 2,000 issues by the day form: each its own jti and grant, not a row written", async () => {
  const client = await server.createClient();
  const before = await rowCounts();
  expect(before).toContainEqual({ table_name: "grants", rows: "0" });
  const seen = new Set<unknown>();
  for (let i = 0; i < 2000; i += 50) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => server.clientCredentials(client)),
    );
    for (const { status, body, text } of answers) {
      expect(status, text).toBe(200);
      const { jti, gid } = decodeJwt(String(body["access_token"]));
      seen.add(jti).add(gid).add(body["refresh_token"]);
    }
  }
  expect(seen.size).toBe(6000);
  expect(await rowCounts()).toEqual(before);
});

test.each(["jwt", "opaque"] as const)(
  "a client's quotas are in its %s access token, those for other scopes left out",
  async (accessTokenFormat) => {
    const daily = { limit: 5, window: "day" } as const;
    const ofPrimes = { limit: 100, window: "minute", scope: "primes:check" } as const;
    const client = await server.createClient({ accessTokenFormat, quotas: [daily, ofPrimes] });
    const claims = async ({ body: { access_token } }: Answer): Promise<unknown> => {
      const form = { token: String(access_token) };
      return (await server.postAs(client, "/oauth2/introspect", form)).body["quota"];
    };
    const whole = await server.clientCredentials(client);
    expect(await claims(whole)).toEqual([daily, ofPrimes]);
    const narrow = await server.refresh(client, whole.body["refresh_token"], {
      scope: "time:read",
    });
    expect(await claims(narrow)).toEqual([daily]);
    await server.database.query("update daykey.clients set quotas = '[]' where client_id = $1", [
      client.clientId,
    ]);
    await server.look();
    expect(await claims(await server.clientCredentials(client))).toBeUndefined();
  },
);

/** Rows of every table of the schema. */
async function rowCounts(): Promise<unknown[]> {
  return server.database.query(
    `select table_name, (xpath('/row/count/text()', query_to_xml(
       format('select count(*) from daykey.%I', table_name), false, true, '')))[1]::text as rows
     from information_schema.tables where table_schema = 'daykey' order by table_name`,
  );
}
