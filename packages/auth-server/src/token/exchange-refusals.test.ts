/** Token exchange: who may not, what is no token of a subject, bound tokens, and registrations. */
import { TOKEN_EXCHANGE_GRANT, TOKEN_TYPES } from "@daykey/common/protocol";
import { createProofKey } from "@daykey/service/test/dpop-proofs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, NEW_CLIENT } from "../../test/admin.ts";
import { createKey, signJwt } from "../../test/assertions.ts";
import {
  type Answer,
  API,
  ISSUER,
  OTHER_API,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import {
  ANY_TOKEN,
  claimsOf,
  type ExchangeServer,
  startExchangeServer,
  tokenIn,
} from "../../test/exchange.ts";

const ANY_VERSION = { "if-match": "*" };
let given: ExchangeServer;
let person: TestClient;
let agent: TestClient;
beforeAll(async () => {
  given = await startExchangeServer();
  person = await given.server.createClient();
  agent = await given.actor();
});
afterAll(() => given.server.stop());

describe("E6: who may not, or brings what is no token of a subject", () => {
  const grantTypes = [TOKEN_EXCHANGE_GRANT] as const;
  test.each([
    ["a client that is not registered for it", {}, "unauthorized_client", undefined],
    [
      "an actor for other subjects",
      { grantTypes, exchange: { ...ANY_TOKEN, subjects: ["somebody"] } },
      "invalid_request",
      "exchange_not_permitted",
    ],
    [
      "an actor for tokens of another resource",
      { grantTypes, exchange: { ...ANY_TOKEN, audiences: [OTHER_API] } },
      "invalid_request",
      "exchange_not_permitted",
    ],
  ] as const)("%s", async (_who, registration, error, reason) => {
    const by = await given.server.createClient(registration);
    const answer = await given.exchange(by, await given.tokenOf(person));
    expect(given.refusal(answer)).toEqual([400, error, reason]);
  });

  const foreign = createKey("ES256");
  const signed = (claims: object): string =>
    signJwt(foreign, { alg: "ES256", typ: "JWT" }, { sub: "x", scope: "time:read", ...claims });
  test.each([
    ["nothing", ""],
    ["no token", "x.y.z"],
    ["another issuer's", signed({ iss: "https://evil.example", aud: ISSUER })],
    ["one that says it is ours", signed({ iss: ISSUER, aud: API })],
    ["9,000 characters", "a".repeat(9000)],
    ["an opaque one of nobody", "dka1.aaaaaaaa.AAAA"],
  ])("%s", async (_what, subject) => {
    for (const subject_token_type of Object.values(TOKEN_TYPES)) {
      const answer = await given.exchange(agent, subject, { subject_token_type });
      expect(given.refusal(answer).slice(0, 2)).toEqual([400, "invalid_request"]);
    }
  });

  test("a refresh token", async () => {
    const { body } = await given.server.clientCredentials(person);
    const answer = await given.exchange(agent, body["refresh_token"] as string);
    expect(given.refusal(answer)).toEqual([400, "invalid_request", "not_our_token"]);
  });

  const actor_token_type = TOKEN_TYPES.accessToken;
  test.each([
    ["no type", { subject_token_type: "" }, undefined],
    [
      "an ID token",
      { subject_token_type: "urn:ietf:params:oauth:token-type:id_token" },
      "subject_token_type",
    ],
    [
      "a refresh token to be made",
      { requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" },
      "requested_token_type",
    ],
    ["an actor's token without its type", { actor_token: "x" }, "actor_token_type"],
    ["an actor's type without its token", { actor_token_type }, "actor_token_type"],
    ["an actor's token that is none", { actor_token: "x", actor_token_type }, "actor_token"],
  ])("%s", async (_what, form, reason) => {
    const answer = await given.exchange(agent, await given.tokenOf(person), form);
    expect(given.refusal(answer)).toEqual([400, "invalid_request", reason]);
  });

  test("an actor's token is the actor's own, and alive", async () => {
    const root = await given.tokenOf(person);
    const own = await given.tokenOf(agent);
    const by = async (actor_token: string): Promise<Answer> =>
      given.exchange(agent, root, { actor_token, actor_token_type });
    expect((await by(own)).status).toBe(200);
    const refused = [400, "invalid_request", "actor_token"];
    for (const token of [await given.tokenOf(person), await given.exchanged(agent, root)]) {
      expect(given.refusal(await by(token))).toEqual(refused);
    }
    await given.server.postAs(agent, "/oauth2/revoke", { token: own });
    expect(given.refusal(await by(own))).toEqual(refused);
  });

  test("resource and audience that differ, and a token in the URL", async () => {
    const root = await given.tokenOf(person);
    const differing = await given.exchange(agent, root, { resource: API, audience: OTHER_API });
    expect(given.refusal(differing)).toEqual([400, "invalid_target", undefined]);
    const inUrl = await given.server.post(`/oauth2/token?subject_token=${root}`, {
      grant_type: TOKEN_EXCHANGE_GRANT,
    });
    expect([inUrl.status, inUrl.body["error"]]).toEqual([400, "invalid_request"]);
  });

  test.each([
    ["the grant type alone", { grant_types: [TOKEN_EXCHANGE_GRANT], exchange: null }],
    ["rights alone", { grant_types: ["client_credentials"] }],
    ["a subject that is no client id", { exchange: { ...ANY_TOKEN, subjects: ["a b"] } }],
    ["an audience that is no resource", { exchange: { ...ANY_TOKEN, audiences: ["https://x"] } }],
    ["a scope that it does not have", { exchange: { ...ANY_TOKEN, scopes: ["other:write"] } }],
    ["no subjects", { exchange: { ...ANY_TOKEN, subjects: [] } }],
  ])("a registration with %s", async (_what, change) => {
    const right = { ...NEW_CLIENT, grant_types: [TOKEN_EXCHANGE_GRANT], exchange: ANY_TOKEN };
    const answer = await given.admin.post("/clients", { ...right, ...change });
    expect(answer.status, answer.text).toBe(400);
  });

  test("a registration names resources as they are registered, and this server by no address", async () => {
    const exchange = { ...ANY_TOKEN, audiences: ["HTTPS://API.example.test:443/", ISSUER] };
    const grant_types = [TOKEN_EXCHANGE_GRANT];
    const made = await given.admin.post("/clients", { ...NEW_CLIENT, grant_types, exchange });
    expect(made.status, made.text).toBe(201);
    const client = made.body["client"] as Record<string, unknown>;
    expect(client["exchange"]).toMatchObject({ audiences: [API, ISSUER] });
    const rows = await given.server.database.query(
      `select exchange -> 'audiences' as uris from daykey.clients
       where client_id = '${String(client["client_id"])}'`,
    );
    expect(rows).toEqual([{ uris: [API, "urn:daykey:issuer"] }]);
  });

  test("a resource that is gone, though named in it, keeps no registration from being narrowed", async () => {
    const uri = "https://gone.example.test";
    const made = await given.admin.post("/resources", { uri, name: "gone", scopes: ["time:read"] });
    const by = await given.actor({ exchange: { ...ANY_TOKEN, audiences: [uri] } });
    await given.admin.call("DELETE", `/resources/${encodeURIComponent(uri)}`, undefined, {
      "if-match": made.etag,
    });
    const path = `/clients/${by.clientId}`;
    const narrow = await given.admin.call("PATCH", path, { scopes: ["time:read"] }, ANY_VERSION);
    expect(narrow.status, narrow.text).toBe(200);
  });
});

describe("E7: a bound token", () => {
  const key = createProofKey();
  const proof = (): Record<string, string> => ({
    dpop: key.proof({ uri: `${ISSUER}/oauth2/token`, at: given.server.now() }),
  });
  const boundRoot = async (): Promise<string> => {
    const form = { grant_type: "client_credentials", client_id: person.clientId };
    const client_secret_hash = await given.server.dayForm(person);
    return tokenIn(await given.server.token({ ...form, client_secret_hash }, proof()));
  };

  test("is exchanged by nobody who may have stolen it", async () => {
    const answer = await given.exchange(agent, await boundRoot(), {}, proof());
    expect(given.refusal(answer)).toEqual([400, "invalid_request", "bound_subject_token"]);
  });

  test("is exchanged by the owner of its resource, into another that is bound", async () => {
    const owner = await given.actor();
    const uri = "https://agent.example.test";
    await given.admin.post("/resources", {
      uri,
      name: "agent",
      scopes: ["time:read"],
      owner_client_id: owner.clientId,
    });
    const subject = await given.server.createClient({
      resources: [uri, API],
      scopes: ["time:read"],
      dpop: "required",
    });
    const root = tokenIn(
      await given.server.token(
        {
          grant_type: "client_credentials",
          client_id: subject.clientId,
          client_secret_hash: await given.server.dayForm(subject),
        },
        proof(),
      ),
    );
    expect(given.refusal(await given.exchange(owner, root, { resource: API }))).toEqual([
      400,
      "invalid_request",
      "bound_subject_token",
    ]);
    const token = await given.exchanged(owner, root, { resource: API }, proof());
    expect(claimsOf(token)).toMatchObject({ cnf: { jkt: key.jkt }, aud: API });
  });
});

test("E8: without TOKEN_EXCHANGE there is no such grant type, in requests, registrations and metadata", async () => {
  const by = await given.actor();
  const off = await startAuthServer({ database: given.server.database });
  try {
    const form = { grant_type: TOKEN_EXCHANGE_GRANT };
    expect((await off.token(form)).body).toMatchObject({ error: "unsupported_grant_type" });
    const metadata = "/.well-known/oauth-authorization-server";
    const told = async (at: TestAuthServer): Promise<unknown> =>
      ((await (await fetch(at.url + metadata)).json()) as Record<string, unknown>)[
        "grant_types_supported"
      ];
    expect(await told(off)).not.toContain(TOKEN_EXCHANGE_GRANT);
    expect(await told(given.server)).toContain(TOKEN_EXCHANGE_GRANT);
    const offAdmin = await createTestAdmin(off);
    const body = { ...NEW_CLIENT, grant_types: [TOKEN_EXCHANGE_GRANT], exchange: ANY_TOKEN };
    expect((await offAdmin.post("/clients", body)).status).toBe(400);
    // Who has it from before can still be changed, and be stopped.
    const path = `/clients/${by.clientId}`;
    for (const change of [
      { scopes: ["time:read"] },
      { grant_types: [TOKEN_EXCHANGE_GRANT] },
      { grant_types: ["client_credentials"], exchange: null },
    ]) {
      const changed = await offAdmin.call("PATCH", path, change, ANY_VERSION);
      expect(changed.status, changed.text).toBe(200);
    }
    const back = { grant_types: [TOKEN_EXCHANGE_GRANT], exchange: ANY_TOKEN };
    expect((await offAdmin.call("PATCH", path, back, ANY_VERSION)).status).toBe(400);
  } finally {
    await off.stop();
  }
});
