/** Hostile assertions at every door: each is refused, none is told why, and none costs a fetch or a rule. */
import { createPublicKey, randomUUID } from "node:crypto";
import { hostileJwts } from "@daykey/service/test/hostile-jwts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestAdmin } from "../../test/admin.ts";
import {
  assertionOf,
  createKey,
  createKeyClient,
  type Members,
  signJwt,
  type TestKey,
} from "../../test/assertions.ts";
import { ISSUER, type TestAuthServer } from "../../test/auth-server.ts";
import type { KeyServer } from "../../test/key-server.ts";
import {
  type Door,
  DOORS,
  enter,
  GITHUB,
  githubToken,
  lastReason,
  SPIFFE,
  svid,
  expectRefused,
  FETCHED,
  startTrustingServer,
  type TrustingServer,
} from "../../test/trust.ts";

/** For some hundred requests on a busy machine. */
const PATIENCE = 60_000;

let trusting: TrustingServer;
let server: TestAuthServer;
let admin: TestAdmin;
let keyServer: KeyServer;
let github: TestKey;
let cluster: TestKey;
let domain: TestKey;
let fetched: TestKey;
beforeAll(async () => {
  trusting = await startTrustingServer();
  ({ server, admin, keyServer, github, cluster, domain, fetched } = trusting);
});
afterAll(() => trusting.stop());

describe.each<[Door, () => { key: TestKey; header: Members; claims: Members }]>([
  ["client_assertion", () => partsOf(github, githubToken(github, server.now()))],
  ["grant", () => partsOf(github, githubToken(github, server.now()))],
  ["jwt_spiffe", () => partsOf(domain, svid(domain, server.now()))],
])("X2: at the door %s", (door, make) => {
  test(
    "every hostile JWT is refused alike",
    async () => {
      const { key, header, claims } = make();
      const { privateKey } = key;
      const good = { header, claims, privateKey, publicKey: createPublicKey(privateKey) };
      for (const [name, token] of Object.entries(hostileJwts(good))) {
        if (/\p{Cc}/u.test(token)) continue;
        await expectRefused(server, token, door, name);
      }
    },
    PATIENCE,
  );

  test(
    "every wrong header and claim is refused alike",
    async () => {
      const { key, header, claims } = make();
      const now = Math.floor(server.now());
      const wrong: [member: string, values: unknown[]][] = [
        ["sub", [undefined, null, 1, "", ["x"], {}, "x".repeat(1025)]],
        [
          "aud",
          [
            undefined,
            null,
            1,
            "",
            [],
            `${ISSUER}/`,
            [ISSUER, ISSUER],
            [ISSUER, "x"],
            [[ISSUER]],
            { x: ISSUER },
          ],
        ],
        ["exp", [undefined, null, "1", -1, now - 300, 1e300, [now + 60]]],
        ["iat", [null, "1", -1, now + 300, now - 4000]],
        ["nbf", [null, "1", -1, now + 300]],
        ["jti", [null, 1, "", ["x"], {}]],
      ];
      for (const [member, values] of wrong) {
        for (const value of values) {
          const token = signJwt(key, header, { ...claims, jti: randomUUID(), [member]: value });
          await expectRefused(
            server,
            token,
            door,
            `${member} ${JSON.stringify(value)?.slice(0, 40)}`,
          );
        }
      }
      for (const typ of [
        "at+jwt",
        "application/at+jwt",
        "client-authentication+jwt",
        "dpop+jwt",
        1,
        null,
      ]) {
        await expectRefused(
          server,
          signJwt(key, { ...header, typ }, { ...claims, jti: randomUUID() }),
          door,
          `typ ${typ}`,
        );
      }
    },
    PATIENCE,
  );
});

function partsOf(key: TestKey, token: string) {
  const [header, claims] = token
    .split(".", 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()) as Members);
  return { key, header: header ?? {}, claims: claims ?? {} };
}

test("X2: another issuer's token at every door, with every other issuer's key and kid", async () => {
  const keys = { github, cluster, domain };
  for (const [name, key] of Object.entries(keys)) {
    for (const kid of [github.kid, cluster.kid, domain.kid, undefined]) {
      const as = { ...key, kid: kid ?? "none" };
      for (const door of Object.keys(DOORS) as Door[]) {
        if (name !== "github")
          await expectRefused(
            server,
            githubToken(as, server.now(), { header: { kid } }),
            door,
            `${name} ${kid}`,
          );
        if (name !== "domain")
          await expectRefused(
            server,
            svid(as, server.now(), { header: { kid } }),
            door,
            `${name} ${kid}`,
          );
      }
    }
  }
  // A JWT-SVID of another trust domain, one without a path, and one that names an issuer elsewhere.
  for (const sub of [
    "spiffe://other.example.test/ns/prod/sa/billing",
    SPIFFE,
    `${SPIFFE}/`,
    `${SPIFFE}/ns/../sa/x`,
    `${SPIFFE}//sa`,
  ]) {
    await expectRefused(server, svid(domain, server.now(), { claims: { sub } }), "jwt_spiffe", sub);
  }
  await expectRefused(server, githubToken(github, server.now()), "jwt_spiffe");
  await expectRefused(
    server,
    svid(domain, server.now(), { claims: { iss: SPIFFE } }),
    "client_assertion",
  );
  await expectRefused(server, svid(domain, server.now()), "grant");
  await expectRefused(server, svid(domain, server.now(), { claims: { iss: SPIFFE } }), "grant");
});

test("X2: our own access token, and a client's own assertion, are nobody's workload", async () => {
  const { body } = await enter(server, githubToken(github, server.now()));
  for (const door of Object.keys(DOORS) as Door[]) {
    await expectRefused(server, String(body["access_token"]), door, "own token");
  }
  const { clientId, key } = await createKeyClient(server);
  await expectRefused(server, assertionOf(clientId, key, server.now()), "grant", "a client's own");
  const confused = assertionOf(clientId, key, server.now(), { claims: { iss: GITHUB } });
  await expectRefused(server, confused, "client_assertion", "iss of a trusted issuer");
  await expectRefused(server, confused, "client_assertion", "and its id", { client_id: clientId });
});

test(
  "X8: unknown issuers cost no fetch, and unknown kids one of their issuer alone in 30 s",
  async () => {
    const stranger = createKey("ci-1");
    const asked = keyServer.asked.length;
    for (let i = 0; i < 200; i++) {
      const iss = `${new URL(keyServer.uri).origin}/${i}`;
      await expectRefused(
        server,
        githubToken(stranger, server.now(), { claims: { iss } }),
        "grant",
      );
    }
    expect(keyServer.asked.length).toBe(asked);
    for (let i = 0; i < 20; i++) {
      const header = { kid: `unknown-${i}` };
      await enter(server, githubToken(fetched, server.now(), { header, claims: { iss: FETCHED } }));
    }
    expect(keyServer.asked.length).toBe(asked + 1);
    const good = githubToken(fetched, server.now(), { claims: { iss: FETCHED } });
    expect((await enter(server, good)).status).toBe(200);
    expect(keyServer.asked.length).toBe(asked + 1);
  },
  PATIENCE,
);

test("an issuer whose keys were never to be had is 503, and nobody's failure", async () => {
  const iss = "https://away.example.test";
  const away = { name: "away", iss, key_source: "jwks_uri", keys_uri: "http://127.0.0.1:9/keys" };
  expect((await admin.post("/trust/issuers", away)).status).toBe(201);
  const answer = await enter(server, githubToken(github, server.now(), { claims: { iss } }));
  expect([answer.status, answer.body["error"], answer.headers.get("retry-after")]).toEqual([
    503,
    "temporarily_unavailable",
    "30",
  ]);
});

test("C2, C15: an assertion beside another credential, in a URL, or at another endpoint is refused", async () => {
  const client = await server.createClient();
  const token = githubToken(github, server.now());
  const both = await enter(server, token, {
    door: "grant",
    client_id: client.clientId,
    client_secret: client.clientSecret,
  });
  expect([both.status, both.body["error"]]).toEqual([400, "invalid_request"]);
  const inUrl = await server.post(`/oauth2/token?assertion=${token}`, DOORS.grant(token));
  expect([inUrl.status, inUrl.body["error"]]).toEqual([400, "invalid_request"]);
  for (const path of ["/oauth2/introspect", "/oauth2/revoke"]) {
    const answer = await server.post(path, { ...DOORS.client_assertion(token), token: "x" });
    expect([answer.status, answer.body["error"]]).toEqual([401, "invalid_client"]);
    expect(lastReason(server)).toBe("workload_for_tokens_only");
  }
  const missing = await server.token({ grant_type: DOORS.grant("").grant_type });
  expect([missing.status, missing.body["error"]]).toEqual([400, "invalid_request"]);
});

test("L1: neither the token nor a claim of a refused one is in the log", async () => {
  const canary = "canary\u2028-of-a-stranger";
  const token = githubToken(github, server.now(), {
    claims: { repository_id: canary, sub: canary },
  });
  await expectRefused(server, token, "grant");
  const logged = JSON.stringify(server.lines);
  expect(logged).not.toContain("canary");
  expect(logged).not.toContain(token.split(".")[2] ?? "");
});
