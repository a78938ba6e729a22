/** Access tokens bound to a key, from the token endpoint to introspection (RFC 9449 §5 to §9). */
import {
  createProofKey,
  HOSTILE_PROOFS,
  type ProofOptions,
} from "@daykey/service/test/dpop-proofs";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, NEW_CLIENT, type TestAdmin } from "../../test/admin.ts";
import {
  type Answer,
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { DPOP_MODES } from "../clients/client.ts";

let server: TestAuthServer;
let client: TestClient;
let resourceServer: TestClient;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  client = await server.createClient();
  resourceServer = await server.createClient({ scopes: ["introspect"], resources: [ISSUER] });
  admin = await createTestAdmin(server);
  await server.database.query(
    `update daykey.resources set owner_client_id = '${resourceServer.clientId}' where uri = '${API}'`,
  );
  await server.look();
});
afterAll(() => server.stop());

const key = createProofKey();
const TOKEN_URI = `${ISSUER}/oauth2/token`;
const good = (options: Partial<ProofOptions> = {}): string =>
  key.proof({ uri: TOKEN_URI, at: server.now(), ...options });

/** A token request by the day form, or by what the form says. */
async function ask(
  proof: string | undefined,
  {
    as = client,
    form = {},
    at = server,
  }: { as?: TestClient; form?: Record<string, string>; at?: TestAuthServer } = {},
): Promise<Answer> {
  const client_secret_hash = form["client_secret_hash"] ?? (await at.dayForm(as));
  return at.token(
    { grant_type: "client_credentials", client_id: as.clientId, client_secret_hash, ...form },
    proof === undefined ? {} : { dpop: proof },
  );
}

const confirmationIn = ({ body }: Answer): unknown =>
  decodeJwt(body["access_token"] as string)["cnf"];

describe("B1: a token that is asked for with a proof is bound to its key", () => {
  test.each(["day form", "refresh", "Ed25519", "EdDSA"])("%s", async (how) => {
    const used = how.startsWith("Ed") ? createProofKey("Ed25519") : key;
    const header = how.startsWith("Ed") ? { alg: how } : {};
    const proof = (): string => used.proof({ uri: TOKEN_URI, at: server.now(), header });
    let answer = await ask(proof());
    if (how === "refresh") {
      const refresh_token = answer.body["refresh_token"] as string;
      answer = await ask(proof(), { form: { grant_type: "refresh_token", refresh_token } });
    }
    expect([answer.status, answer.body["token_type"]], answer.text).toEqual([200, "DPoP"]);
    expect(confirmationIn(answer)).toEqual({ jkt: used.jkt });
    const told = await server.postAs(resourceServer, "/oauth2/introspect", {
      token: answer.body["access_token"] as string,
    });
    expect(told.body).toMatchObject({ active: true, token_type: "DPoP", cnf: { jkt: used.jkt } });
  });

  test("an opaque token too", async () => {
    const opaque = await server.createClient({ accessTokenFormat: "opaque" });
    const answer = await ask(good(), { as: opaque });
    const told = await server.postAs(resourceServer, "/oauth2/introspect", {
      token: answer.body["access_token"] as string,
    });
    expect(told.body).toMatchObject({ token_type: "DPoP", cnf: { jkt: key.jkt } });
  });

  test("without one it is a bearer token, and a refresh token is bound to its client alone", async () => {
    const answer = await ask(undefined);
    expect([answer.body["token_type"], confirmationIn(answer)]).toEqual(["Bearer", undefined]);
    const bound = await ask(good());
    const refresh_token = bound.body["refresh_token"] as string;
    const refreshed = await ask(undefined, {
      form: { grant_type: "refresh_token", refresh_token },
    });
    expect([refreshed.status, refreshed.body["token_type"]]).toEqual([200, "Bearer"]);
  });

  test.each([
    [
      "in capitals and with its port",
      `${ISSUER.replace("https://auth", "HTTPS://AUTH")}:443/oauth2/token`,
    ],
    ["with query and fragment", `${TOKEN_URI}?a=b#c`],
    ["with what needs no escape escaped", `${ISSUER}/oauth2/%74oken`],
    ["with dots", `${ISSUER}/oauth2/./x/../token`],
  ])("its htu may be written %s (RFC 3986 §6.2)", async (_how, uri) => {
    expect((await ask(good({ uri }))).status).toBe(200);
  });
});

describe("B2: a proof that does not hold", () => {
  test.each(HOSTILE_PROOFS)("%s", async (_name, make) => {
    const answer = await ask(make(key, { uri: TOKEN_URI, at: server.now() }));
    expect([answer.status, answer.body["error"]], answer.text).toEqual([400, "invalid_dpop_proof"]);
    expect(answer.body["access_token"]).toBeUndefined();
  });

  test("repeated in two lines", async () => {
    const headers = new Headers({ dpop: good() });
    headers.append("dpop", good());
    // Node's fetch joins them with a comma, as a proxy may.
    const body = new URLSearchParams({ grant_type: "client_credentials" });
    const response = await fetch(`${server.url}/oauth2/token`, { method: "POST", body, headers });
    expect(await response.json()).toMatchObject({ error: "invalid_dpop_proof" });
  });

  test("H2: the address is the issuer's, whatever Host says", async () => {
    const answer = await ask(good({ uri: `${server.url}/oauth2/token` }));
    expect(answer.body["error"]).toBe("invalid_dpop_proof");
  });

  test("it uses up neither the one-time hash nor anything else", async () => {
    const client_secret_hash = await server.oneTime(client);
    const refused = await ask("proof", { form: { client_secret_hash } });
    expect(refused.status).toBe(400);
    expect((await ask(good(), { form: { client_secret_hash } })).status).toBe(200);
  });
});

test("B3: of one proof at two instances, many times at once, one is taken", async () => {
  const other = await startAuthServer({ database: server.database });
  try {
    const proof = good();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => ask(proof, { at: n % 2 === 0 ? server : other })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const others = answers.filter(({ status }) => status !== 200);
    expect(new Set(others.map(({ body }) => body["error_description"]))).toEqual(
      new Set(["The DPoP proof was used before."]),
    );
  } finally {
    await other.stop();
  }
});

describe("B4: a client whose tokens must be bound", () => {
  test.each(["/oauth2/token", "/tokens"])("gets none without a proof at %s", async (path) => {
    const bound = await server.createClient({
      dpop: "required",
      authMethods: ["client_secret_hash_day"],
    });
    const form = { grant_type: "client_credentials", client_id: bound.clientId };
    const answer = await server.post(path, {
      ...form,
      client_secret_hash: await server.dayForm(bound),
    });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("send a DPoP proof");
    const uri = `${ISSUER}${path}`;
    const served = await fetch(server.url + path, {
      method: "POST",
      headers: { dpop: good({ uri }) },
      body: new URLSearchParams({ ...form, client_secret_hash: await server.dayForm(bound) }),
    });
    expect(served.ok).toBe(true);
  });

  test("day-key: the token is bound to the key that its secret yields for the day, without a proof", async () => {
    const bound = await server.createClient({
      dpop: "day-key",
      authMethods: ["client_secret_hash_once"],
    });
    const once = async (proof?: string): Promise<Answer> =>
      ask(proof, { as: bound, form: { client_secret_hash: await server.oneTime(bound) } });
    const [first, second] = [await once(), await once()];
    expect([first.status, first.body["token_type"]], first.text).toEqual([200, "DPoP"]);
    expect(confirmationIn(first)).toEqual(confirmationIn(second));
    server.advance(86_400);
    try {
      expect(confirmationIn(await once())).not.toEqual(confirmationIn(first));
    } finally {
      server.advance(-86_400);
    }
    const refused = await once(good());
    expect(refused.body["error"]).toBe("invalid_dpop_proof");
  });

  test.each(DPOP_MODES)("%s stands in the registration, and is checked there", async (dpop) => {
    const once = dpop === "day-key";
    const body = {
      ...NEW_CLIENT,
      client_id: `bound-${dpop}`,
      dpop,
      ...(once && { auth_methods: ["client_secret_hash_once"] }),
    };
    const made = await admin.post("/clients", body);
    expect([made.status, made.body.client.dpop], made.text).toEqual([201, dpop]);
    if (!once) return;
    const changed = await admin.call(
      "PATCH",
      `/clients/bound-${dpop}`,
      { auth_methods: ["client_secret_hash_once", "client_secret_hash_day"] },
      { "if-match": made.etag },
    );
    expect([changed.status, changed.body.type]).toEqual([
      400,
      "urn:daykey:problem:invalid-registration",
    ]);
  });
});

test("B5: this server's own resources take no bound token, and none is issued for them", async () => {
  const answer = await ask(good(), { as: resourceServer });
  expect([answer.status, answer.body["error"]]).toEqual([400, "invalid_target"]);
});

test("B6: with DPOP_NONCE a proof needs a nonce of now, which any instance has given", async () => {
  const config = { dpopNonce: true };
  const [one, two] = await Promise.all(
    [0, 1].map(async () => startAuthServer({ database: server.database, config })),
  );
  if (!one || !two) throw new Error("no servers");
  try {
    const first = await ask(good(), { at: one });
    expect([first.status, first.body["error"]]).toEqual([400, "use_dpop_nonce"]);
    const nonce = first.headers.get("dpop-nonce") ?? "";
    const served = await ask(good({ nonce }), { at: two });
    expect(served.status, served.text).toBe(200);
    expect(served.headers.get("dpop-nonce")).not.toBe("");
    // A client's clock counts for nothing then (RFC 9449 §4.3, point 11).
    expect((await ask(good({ nonce, at: 1 }), { at: one })).status).toBe(200);
    for (const wrong of ["", "x", `${nonce}A`, `1${nonce}`, nonce.replace(/.$/, "_")]) {
      const answer = await ask(good({ nonce: wrong }), { at: one });
      expect(answer.body["error"], wrong).toBe("use_dpop_nonce");
    }
    one.advance(301);
    expect((await ask(good({ nonce }), { at: one })).body["error"]).toBe("use_dpop_nonce");
    // Who brings no proof is asked for none.
    expect((await ask(undefined, { at: two })).headers.get("dpop-nonce")).toBeNull();
  } finally {
    await Promise.all([one.stop(), two.stop()]);
  }
});
