/** Token exchange (RFC 8693): what comes of a token is its subject's, and never more or longer. */
import { TOKEN_TYPES } from "@daykey/common/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { API, OTHER_API, type TestClient } from "../../test/auth-server.ts";
import {
  ANY_TOKEN,
  claimsOf,
  type ExchangeServer,
  startExchangeServer,
  tokenIn,
} from "../../test/exchange.ts";

let given: ExchangeServer;
let person: TestClient;
let agent: TestClient;
let subAgent: TestClient;
beforeAll(async () => {
  given = await startExchangeServer();
  person = await given.server.createClient();
  agent = await given.actor();
  subAgent = await given.actor();
});
afterAll(() => given.server.stop());

describe("E1: a token that is exchanged", () => {
  test("is its subject's, names who acts and every grant above, and has no refresh token", async () => {
    const root = await given.tokenOf(person);
    const answer = await given.exchange(agent, root, { scope: "time:read" });
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      token_type: "Bearer",
      expires_in: expect.any(Number),
      scope: "time:read",
      issued_token_type: TOKEN_TYPES.accessToken,
    });
    const first = tokenIn(answer);
    const second = await given.exchanged(subAgent, first, { resource: OTHER_API });
    const above = claimsOf(root);
    const middle = claimsOf(first);
    const leaf = claimsOf(second);
    expect(middle).toMatchObject({
      sub: person.clientId,
      client_id: agent.clientId,
      aud: API,
      act: { sub: agent.clientId },
      anc: [{ gid: above["gid"], client_id: person.clientId, cred: person.kid, ep: 0 }],
    });
    expect(leaf).toMatchObject({
      sub: person.clientId,
      client_id: subAgent.clientId,
      aud: OTHER_API,
      scope: "time:read",
      act: { sub: subAgent.clientId, act: { sub: agent.clientId } },
    });
    expect((leaf["anc"] as { gid: string }[]).map(({ gid }) => gid)).toEqual([
      above["gid"],
      middle["gid"],
    ]);
    expect(await given.introspect(second)).toMatchObject({
      active: true,
      sub: person.clientId,
      act: leaf["act"],
    });
    const line = given.server.lines.findLast(({ grant }) => grant === leaf["gid"]);
    expect(line).toMatchObject({ subjectGrant: middle["gid"], onBehalfOf: person.clientId });
  });

  test("may be opaque, and so may what it comes from", async () => {
    const opaquePerson = await given.server.createClient({ accessTokenFormat: "opaque" });
    const opaqueAgent = await given.actor({ accessTokenFormat: "opaque" });
    const token = await given.exchanged(opaqueAgent, await given.tokenOf(opaquePerson));
    expect(token).toMatch(/^dka1\./);
    expect(await given.introspect(token)).toMatchObject({
      sub: opaquePerson.clientId,
      client_id: opaqueAgent.clientId,
    });
    expect(await given.isActive(await given.exchanged(agent, token))).toBe(true);
  });

  test("says nothing of the actor where it may stand for the subject itself", async () => {
    const double = await given.actor({ exchange: { ...ANY_TOKEN, impersonation: true } });
    const claims = claimsOf(await given.exchanged(double, await given.tokenOf(person)));
    expect([claims.sub, claims["act"]]).toEqual([person.clientId, undefined]);
    expect(claims["anc"]).toHaveLength(1);
  });

  test.each([
    ["the type jwt", { subject_token_type: TOKEN_TYPES.jwt }],
    ["the type that is asked for", { requested_token_type: TOKEN_TYPES.accessToken }],
    ["an audience", { audience: OTHER_API }],
  ])("may be asked for with %s", async (_what, form) => {
    expect((await given.exchange(agent, await given.tokenOf(person), form)).status).toBe(200);
  });

  test("writes nothing", async () => {
    const root = await given.tokenOf(person);
    const tables = ["grants", "nonces", "revocations", "audit_log"];
    const count = async (): Promise<unknown> =>
      given.server.database.query(
        tables.map((name) => `select count(*)::int as n from daykey.${name}`).join(" union all "),
      );
    const before = await count();
    for (let n = 0; n < 20; n++) await given.exchange(agent, root);
    expect(await count()).toEqual(before);
  });
});

describe("E2: never more than the subject had", () => {
  const both = "time:read primes:check";
  test.each([
    ["than its token's scope", {}, {}, "time:read", "primes:check"],
    ["than the actor's own", {}, { scopes: ["primes:check"] }, both, "time:read"],
    [
      "than the actor may exchange",
      {},
      { exchange: { ...ANY_TOKEN, scopes: ["primes:check"] } },
      both,
      "time:read",
    ],
  ] as const)("%s", async (_than, subject, acting, scope, wanted) => {
    const root = await given.tokenOf(await given.server.createClient(subject), { scope });
    const by = await given.actor(acting);
    for (const asked of [wanted, both]) {
      expect(given.refusal(await given.exchange(by, root, { scope: asked }))).toEqual([
        400,
        "invalid_scope",
        undefined,
      ]);
    }
    const all = claimsOf(await given.exchanged(by, root))["scope"];
    expect(all).toBe(wanted === "time:read" ? "primes:check" : "time:read");
  });

  test.each([
    [
      "a resource that the subject's client does not have",
      { resources: [API], scopes: ["time:read"] },
      {},
    ],
    ["a resource that the actor does not have", {}, { resources: [API], scopes: ["time:read"] }],
  ] as const)("%s", async (_what, subject, acting) => {
    const root = await given.tokenOf(await given.server.createClient(subject));
    const answer = await given.exchange(await given.actor(acting), root, { resource: OTHER_API });
    expect(given.refusal(answer)).toEqual([400, "invalid_target", undefined]);
  });

  test("T23: a scope of one resource is none of another's, though the actor has it there", async () => {
    const subject = await given.server.createClient({
      scopes: ["time:read", "other:write"],
      resourceScopes: [
        { resource: API, scopes: ["time:read"] },
        { resource: OTHER_API, scopes: ["other:write"] },
      ],
    });
    const root = await given.tokenOf(subject, { scope: "time:read" });
    const there = await given.exchange(agent, root, { resource: OTHER_API });
    expect(given.refusal(there)).toEqual([400, "invalid_scope", undefined]);
    expect(claimsOf(await given.exchanged(agent, root))["scope"]).toBe("time:read");
  });

  test("claims for services are the subject's: an actor brings none of its own, and takes none away", async () => {
    const ext = { tenant: "acme" };
    const root = await given.tokenOf(await given.server.createClient({ ext }));
    const by = await given.actor({ ext: { tenant: "*", level: 9 } });
    const token = await given.exchanged(by, root);
    expect(claimsOf(token)["ext"]).toEqual(ext);
    expect(claimsOf(await given.exchanged(subAgent, token))["ext"]).toEqual(ext);
    const plain = await given.tokenOf(person);
    expect(claimsOf(await given.exchanged(by, plain))).not.toHaveProperty("ext");
  });

  test("what the subject's client loses, the tokens below lose too", async () => {
    const subject = await given.server.createClient();
    const root = await given.tokenOf(subject);
    const middle = await given.exchanged(agent, root);
    const path = `/clients/${subject.clientId}`;
    const { etag } = await given.admin.get(path);
    await given.admin.call("PATCH", path, { scopes: ["primes:check"] }, { "if-match": etag });
    for (const token of [root, middle]) {
      expect(claimsOf(await given.exchanged(subAgent, token))["scope"]).toBe("primes:check");
    }
    expect(await given.introspect(middle)).toMatchObject({ scope: "primes:check" });
    const { etag: next } = await given.admin.get(path);
    await given.admin.call(
      "PATCH",
      path,
      { resources: [OTHER_API], scopes: ["time:read"] },
      { "if-match": next },
    );
    expect(await given.isActive(middle)).toBe(false);
  });

  test("what an actor may not exchange any more, its tokens are not good for", async () => {
    const by = await given.actor();
    const token = await given.exchanged(by, await given.tokenOf(person));
    const brief = await given.exchanged(by, token, { scope: "time:read" });
    const path = `/clients/${by.clientId}`;
    const change = async (members: object): Promise<void> => {
      const { etag } = await given.admin.get(path);
      await given.admin.call("PATCH", path, members, { "if-match": etag });
    };
    await change({ exchange: { ...ANY_TOKEN, scopes: ["primes:check"] } });
    expect(await given.introspect(token)).toMatchObject({ scope: "primes:check" });
    const explained = await given.admin.post("/tokens/explain", { token: brief });
    expect(explained.body).toMatchObject({ active: false, refused: "no_rights" });
    expect(await given.isActive(brief)).toBe(false);
    await change({ exchange: { ...ANY_TOKEN, subjects: ["somebody"] } });
    expect(await given.isActive(token)).toBe(false);
    await change({ exchange: ANY_TOKEN });
    expect(await given.isActive(token)).toBe(true);
    await change({ exchange: null, grant_types: ["client_credentials"] });
    expect(await given.isActive(token)).toBe(false);
  });
});

test("E3: never longer than the subject's token", async () => {
  const brief = await given.server.createClient({ accessTokenSeconds: 60 });
  const root = await given.tokenOf(brief);
  const long = await given.actor({ accessTokenSeconds: 3000 });
  const token = await given.exchanged(long, root);
  expect(claimsOf(token).exp).toBe(claimsOf(root).exp);
  expect(claimsOf(await given.exchanged(agent, token)).exp).toBe(claimsOf(root).exp);
  given.server.advance(61);
  const late = await given.exchange(long, root);
  given.server.advance(-61);
  expect(given.refusal(late)).toEqual([400, "invalid_request", "expired"]);
});

test("E4: five grants may stand above one, and no more; a circle of two actors ends there too", async () => {
  let token = await given.tokenOf(person);
  for (let depth = 1; depth <= 5; depth++) {
    token = await given.exchanged(depth % 2 === 0 ? agent : subAgent, token);
    expect(claimsOf(token)["anc"]).toHaveLength(depth);
  }
  const deeper = await given.exchange(agent, token);
  expect(given.refusal(deeper)).toEqual([400, "invalid_request", "exchange_too_deep"]);
});
