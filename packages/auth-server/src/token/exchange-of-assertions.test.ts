/** On behalf of whom a trusted issuer names: assertions that are exchanged, and ID-JAGs. */
import {
  ID_JAG_PROFILE,
  ID_JAG_TYP,
  JWT_BEARER_GRANT,
  TOKEN_EXCHANGE_GRANT,
  TOKEN_TYPES,
} from "@daykey/common/protocol";
import { createProofKey } from "@daykey/service/test/dpop-proofs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createKey, signJwt } from "../../test/assertions.ts";
import { type Answer, API, ISSUER, OTHER_API, type TestClient } from "../../test/auth-server.ts";
import {
  ANY_TOKEN,
  claimsOf,
  type ExchangeServer,
  startExchangeServer,
  tokenIn,
} from "../../test/exchange.ts";
import { addRule, createWorkloadClient, trustIssuer } from "../../test/trust.ts";

const key = createKey("ES256");
const iss = "https://people.example.test";
/** What one client may use up in a minute. */
const NONCES = 40;
let given: ExchangeServer;
let agent: TestClient;
beforeAll(async () => {
  given = await startExchangeServer({ noncesPerClient: NONCES });
  const grantTypes = [JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT] as const;
  agent = await given.actor({ grantTypes });
  await trustIssuer(given.admin, "people", { iss, keys: [key] });
  const made = await createWorkloadClient(given.server, "people");
  await addRule(given.admin, "people", {
    issuer: "people",
    client_id: made.clientId,
    conditions: [{ claim: "sub", one_of: ["ada"] }],
  });
});
afterAll(() => given.server.stop());

/** It names one person, for five minutes. */
function assertion(claims: object = {}, typ = "JWT"): string {
  const iat = Math.floor(given.server.now());
  const common = { iss, sub: "ada", aud: ISSUER, iat, exp: iat + 300, jti: crypto.randomUUID() };
  return signJwt(key, { alg: "ES256", typ, kid: key.kid }, { ...common, ...claims });
}
const idJag = (claims: object = {}): string =>
  assertion({ client_id: agent.clientId, ...claims }, ID_JAG_TYP);

async function grant(
  text: string,
  {
    by = agent,
    form = {},
    headers = {},
  }: { by?: TestClient; form?: object; headers?: object } = {},
): Promise<Answer> {
  const authentication = {
    client_id: by.clientId,
    client_secret_hash: await given.server.dayForm(by),
  };
  return given.server.token(
    { grant_type: JWT_BEARER_GRANT, ...authentication, assertion: text, ...form },
    { ...headers },
  );
}

describe("E9: an assertion that is exchanged", () => {
  const form = { subject_token_type: TOKEN_TYPES.jwt };

  test("is the client that its rule makes, once", async () => {
    const text = assertion();
    const claims = claimsOf(await given.exchanged(agent, text, form));
    expect(claims).toMatchObject({
      sub: "people",
      client_id: agent.clientId,
      act: { sub: agent.clientId },
      workload: { iss, sub: "ada" },
    });
    expect(claims.exp).toBeLessThanOrEqual(Math.floor(given.server.now()) + 300);
    const again = await given.exchange(agent, text, form);
    expect(given.refusal(again)).toEqual([400, "invalid_request", "replayed"]);
  });

  test("is for the actor that it names, where it names one", async () => {
    const others = await given.exchange(agent, assertion({ may_act: { sub: "somebody" } }), form);
    expect(given.refusal(others)).toEqual([400, "invalid_request", "may_act"]);
    const theirs = assertion({ may_act: { iss, sub: agent.clientId } });
    expect(given.refusal(await given.exchange(agent, theirs, form))[2]).toBe("may_act");
    for (const named of [{ sub: agent.clientId }, { iss: ISSUER, sub: agent.clientId }]) {
      const ours = assertion({ may_act: named });
      expect((await given.exchange(agent, ours, form)).status).toBe(200);
    }
  });

  test("of a key is nothing without its proof", async () => {
    const { jkt } = createProofKey();
    const answer = await given.exchange(agent, assertion({ cnf: { jkt } }), form);
    expect(given.refusal(answer)).toEqual([400, "invalid_request", "assertion_key"]);
  });

  test("goes no further than its rule, not by its own token either", async () => {
    await createWorkloadClient(given.server, "narrow");
    await addRule(given.admin, "narrow", {
      issuer: "people",
      client_id: "narrow",
      conditions: [{ claim: "sub", one_of: ["nina"] }],
      resources: [OTHER_API],
    });
    const made = assertion({ sub: "nina" });
    const own = await given.server.token({ grant_type: JWT_BEARER_GRANT, assertion: made });
    const first = await given.exchanged(agent, assertion({ sub: "nina" }), form);
    for (const token of [tokenIn(own), first]) {
      expect(claimsOf(token).aud).toBe(OTHER_API);
      const elsewhere = await given.exchange(agent, token, { resource: API });
      expect(given.refusal(elsewhere).slice(0, 2)).toEqual([400, "invalid_target"]);
      expect((await given.exchange(agent, token, { resource: OTHER_API })).status).toBe(200);
    }
  });

  test("is no ID-JAG, and an ID-JAG is no such assertion", async () => {
    const asAssertion = await given.exchange(agent, idJag(), form);
    expect(given.refusal(asAssertion)).toEqual([400, "invalid_request", "assertion_typ"]);
    const alone = await given.server.token({ grant_type: JWT_BEARER_GRANT, assertion: idJag() });
    expect([alone.status, alone.body["error"]]).toEqual([401, "invalid_client"]);
    const both = await grant(assertion({ client_id: agent.clientId }));
    expect([both.status, both.body["error"]]).toEqual([400, "invalid_request"]);
  });
});

describe("E9: an ID-JAG", () => {
  test("gives the client that it names a token on behalf of its subject, once, and no refresh token", async () => {
    const text = idJag({ scope: "time:read", resource: OTHER_API });
    const answer = await grant(text);
    expect(answer.body).not.toHaveProperty("refresh_token");
    expect(claimsOf(tokenIn(answer))).toMatchObject({
      sub: "people",
      client_id: agent.clientId,
      aud: OTHER_API,
      scope: "time:read",
      act: { sub: agent.clientId },
      workload: { iss, sub: "ada" },
    });
    expect(given.refusal(await grant(text))).toEqual([400, "invalid_grant", "replayed"]);
  });

  test.each([
    ["another client's", { client_id: "somebody" }, "assertion_client"],
    ["nobody's", { client_id: undefined }, "assertion_client"],
    ["for another server", { aud: "https://other.example.test" }, "assertion_audience"],
    ["without a jti", { jti: undefined }, "malformed_assertion"],
    ["without iat", { iat: undefined }, "malformed_assertion"],
    ["of somebody whom no rule lets in", { sub: "eve" }, "no_rule"],
    ["with details that nobody understands", { authorization_details: [] }, "assertion_details"],
    ["of a key that is not proved", { cnf: { jkt: "x" } }, "assertion_key"],
    ["of a key that cannot be", { cnf: null }, "assertion_key"],
    ["for another actor", { may_act: { sub: "somebody" } }, "may_act"],
    ["with a scope that is none", { scope: ["time:read"] }, "malformed_assertion"],
    ["with a resource that is none", { resource: { uri: API } }, "malformed_assertion"],
  ])("%s is refused", async (_what, claims, reason) => {
    expect(given.refusal(await grant(idJag(claims)))).toEqual([400, "invalid_grant", reason]);
  });

  test("that ended a moment ago gives no token, however clocks differ", async () => {
    const now = Math.floor(given.server.now());
    const ended = { iat: now - 100, exp: now - 10 };
    const answer = await grant(idJag(ended));
    expect(given.refusal(answer)).toEqual([400, "invalid_grant", "assertion_expired"]);
    const form = { subject_token_type: TOKEN_TYPES.jwt };
    const exchanged = await given.exchange(agent, assertion(ended), form);
    expect(given.refusal(exchanged)).toEqual([400, "invalid_request", "assertion_expired"]);
  });

  test("allows no more than it says", async () => {
    const scope = await grant(idJag({ scope: "time:read" }), { form: { scope: "primes:check" } });
    expect([scope.status, scope.body["error"]]).toEqual([400, "invalid_scope"]);
    const elsewhere = { form: { resource: OTHER_API } };
    const resource = await grant(idJag({ resource: [API] }), elsewhere);
    expect([resource.status, resource.body["error"]]).toEqual([400, "invalid_target"]);
    expect((await grant(idJag({ resource: [API, OTHER_API] }), elsewhere)).status).toBe(200);
  });

  test("limits what is exchanged for its token too", async () => {
    const token = tokenIn(await grant(idJag({ resource: API })));
    const elsewhere = await given.exchange(agent, token, { resource: OTHER_API });
    expect(given.refusal(elsewhere).slice(0, 2)).toEqual([400, "invalid_target"]);
    expect((await given.exchange(agent, token, { resource: API })).status).toBe(200);
  });

  test("of a key gives a token that is bound to it", async () => {
    const proofs = createProofKey();
    const uri = `${ISSUER}/oauth2/token`;
    const proof = (): object => ({ dpop: proofs.proof({ uri, at: given.server.now() }) });
    const { jkt } = proofs;
    const answer = await grant(idJag({ cnf: { jkt } }), { headers: proof() });
    expect(claimsOf(tokenIn(answer))).toMatchObject({ cnf: { jkt } });
    const of = { jkt, "x5t#S256": jkt };
    const both = await grant(idJag({ cnf: of }), { headers: proof() });
    expect(given.refusal(both)).toEqual([400, "invalid_grant", "assertion_key"]);
  });

  test("is used up by nothing that is refused", async () => {
    const grantTypes = [JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT] as const;
    const by = await given.actor({ grantTypes, tokenQuotas: [{ limit: 0, window: "day" }] });
    const text = idJag({ client_id: by.clientId });
    const proofs = createProofKey();
    const dpop = proofs.proof({ uri: `${ISSUER}/oauth2/token`, at: given.server.now() });
    const wide = await grant(text, { by, form: { scope: "other:write" } });
    const nowhere = await grant(text, { by, form: { resource: ISSUER }, headers: { dpop } });
    const spent = await grant(text, { by });
    expect([wide, nowhere, spent].map(({ body }) => body["error"])).toEqual([
      "invalid_scope",
      "invalid_target",
      "slow_down",
    ]);
    const path = `/clients/${by.clientId}`;
    const { etag } = await given.admin.get(path);
    await given.admin.call("PATCH", path, { token_quotas: [] }, { "if-match": etag });
    expect((await grant(text, { by })).status).toBe(200);
    expect(given.refusal(await grant(text, { by }))).toEqual([400, "invalid_grant", "replayed"]);
  });

  test("writes no more than a client may", async () => {
    const grantTypes = [JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT] as const;
    const by = await given.actor({ grantTypes });
    const once = async (): Promise<Answer> => grant(idJag({ client_id: by.clientId }), { by });
    const answers = await Promise.all(Array.from({ length: NONCES + 1 }, once));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 429)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(NONCES);
  });

  test("is told in the log with the person and the client that a rule makes of them", async () => {
    const answer = await grant(idJag());
    const line = given.server.lines.findLast(
      ({ grant: id }) => id === claimsOf(tokenIn(answer))["gid"],
    );
    expect(line).toMatchObject({ subject: "ada", onBehalfOf: "people", rule: "people" });
  });

  test("is nothing to who may not act for others, or for its subject", async () => {
    const grantTypes = [JWT_BEARER_GRANT] as const;
    const plain = await given.server.createClient({ grantTypes });
    const of = (client: TestClient): string => idJag({ client_id: client.clientId });
    const none = await grant(of(plain), { by: plain });
    expect([none.status, none.body["error"]]).toEqual([400, "unauthorized_client"]);
    const other = await given.actor({
      grantTypes: [JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT],
      exchange: { ...ANY_TOKEN, subjects: ["somebody"] },
    });
    const refused = await grant(of(other), { by: other });
    expect(given.refusal(refused)).toEqual([400, "invalid_grant", "exchange_not_permitted"]);
  });

  test("is announced, and an operator is told what becomes of it", async () => {
    const metadata = await fetch(`${given.server.url}/.well-known/oauth-authorization-server`);
    expect(await metadata.json()).toMatchObject({
      authorization_grant_profiles_supported: [ID_JAG_PROFILE],
    });
    const { body } = await given.admin.post("/trust/explain", { token: idJag() });
    expect(body).toMatchObject({ refused: null, result: { client_id: "people" } });
  });
});

test("E5: what comes of an assertion ends with its rule", async () => {
  const tokens = [
    await given.exchanged(agent, assertion(), { subject_token_type: TOKEN_TYPES.jwt }),
    tokenIn(await grant(idJag())),
  ];
  expect(await Promise.all(tokens.map(given.isActive))).toEqual([true, true]);
  const rule = await given.admin.get("/trust/rules/people");
  await given.admin.call("DELETE", "/trust/rules/people", undefined, { "if-match": rule.etag });
  expect(await Promise.all(tokens.map(given.isActive))).toEqual([false, false]);
});
