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
let given: ExchangeServer;
let agent: TestClient;
beforeAll(async () => {
  given = await startExchangeServer();
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
    const ours = assertion({ may_act: { sub: agent.clientId } });
    expect((await given.exchange(agent, ours, form)).status).toBe(200);
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
    ["with a scope that is none", { scope: ["time:read"] }, "malformed_assertion"],
    ["with a resource that is none", { resource: { uri: API } }, "malformed_assertion"],
  ])("%s is refused", async (_what, claims, reason) => {
    expect(given.refusal(await grant(idJag(claims)))).toEqual([400, "invalid_grant", reason]);
  });

  test("allows no more than it says", async () => {
    const scope = await grant(idJag({ scope: "time:read" }), { form: { scope: "primes:check" } });
    expect([scope.status, scope.body["error"]]).toEqual([400, "invalid_scope"]);
    const elsewhere = { form: { resource: OTHER_API } };
    const resource = await grant(idJag({ resource: [API] }), elsewhere);
    expect([resource.status, resource.body["error"]]).toEqual([400, "invalid_target"]);
    expect((await grant(idJag({ resource: [API, OTHER_API] }), elsewhere)).status).toBe(200);
  });

  test("of a key gives a token that is bound to it", async () => {
    const proofs = createProofKey();
    const uri = `${ISSUER}/oauth2/token`;
    const headers = { dpop: proofs.proof({ uri, at: given.server.now() }) };
    const answer = await grant(idJag({ cnf: { jkt: proofs.jkt } }), { headers });
    expect(claimsOf(tokenIn(answer))).toMatchObject({ cnf: { jkt: proofs.jkt } });
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
