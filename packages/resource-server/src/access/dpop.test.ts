/** Access tokens bound to a key (RFC 9449 §7), at a resource: good with a proof of that key alone, once. */
import {
  createProofKey,
  HOSTILE_TOKEN_PROOFS,
  type ProofOptions,
} from "@daykey/service/test/dpop-proofs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  RESOURCE,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

let api: TestResourceServer;
beforeAll(async () => {
  api = await startResourceServer();
});
afterAll(() => api.stop());

const key = createProofKey();
const URI = `${RESOURCE}/time`;
const bound = (jkt = key.jkt): string => api.token({ claims: { cnf: { jkt } } });

const proofOf = (accessToken: string, options: Partial<ProofOptions> = {}): string =>
  key.proof({ method: "GET", uri: URI, accessToken, at: api.now(), ...options });

async function time(
  token: string,
  proof: string | undefined,
  { scheme = "DPoP", at = api }: { scheme?: string; at?: TestResourceServer } = {},
): Promise<Answer> {
  return at.request("GET /time", {
    headers: { authorization: `${scheme} ${token}`, ...(proof !== undefined && { dpop: proof }) },
  });
}

test("B1: a bound token is good with a proof of its key, whatever the scheme's case", async () => {
  for (const scheme of ["DPoP", "dpop", "DPOP"]) {
    const token = bound();
    const answer = await time(token, proofOf(token), { scheme });
    expect(answer.status, answer.text).toBe(200);
  }
  const ed25519 = createProofKey("Ed25519");
  const token = bound(ed25519.jkt);
  const proof = ed25519.proof({
    method: "GET",
    uri: `${URI}?zone=UTC`,
    accessToken: token,
    at: api.now(),
  });
  expect((await time(token, proof)).status).toBe(200);
});

describe("B2: a bound token with a proof that does not hold", () => {
  test.each(HOSTILE_TOKEN_PROOFS)("%s", async (_name, make) => {
    const token = bound();
    const proof = make(key, { method: "GET", uri: URI, accessToken: token, at: api.now() });
    const answer = await time(token, proof);
    expect(answer.status, answer.text).toBe(401);
    expect(answer.headers["www-authenticate"]).toMatch(
      /^DPoP .*error="invalid_(?:dpop_proof|token)".*algs="ES256 Ed25519 EdDSA"/,
    );
  });

  test("two DPoP headers", async () => {
    const token = bound();
    const lines = [
      "GET /time HTTP/1.1",
      "Host: x",
      "Connection: close",
      `Authorization: DPoP ${token}`,
    ];
    const twice = [...lines, `DPoP: ${proofOf(token)}`, `DPoP: ${proofOf(token)}`, "", ""];
    expect(await api.exchange(twice.join("\r\n"))).toMatch(/^HTTP\/1\.1 401 /);
  });
});

describe("B7: a stolen bound token", () => {
  test.each([
    ["as Bearer", "Bearer", undefined],
    ["as DPoP without a proof", "DPoP", undefined],
    ["as Bearer with a proof of its key", "Bearer", key],
    ["as DPoP with a proof of another key", "DPoP", createProofKey()],
  ])("%s is refused", async (_how, scheme, prover) => {
    const token = bound();
    const proof = prover?.proof({ method: "GET", uri: URI, accessToken: token, at: api.now() });
    const answer = await time(token, proof, { scheme });
    expect([answer.status, answer.headers["www-authenticate"]]).toEqual([
      401,
      expect.stringMatching(/^DPoP /),
    ]);
  });

  test("in the alias of the articles is refused", async () => {
    const token = bound();
    const headers = { "x-pa-auth-token": token, dpop: proofOf(token) };
    expect((await api.request("GET /time", { headers })).status).toBe(401);
  });

  test("with the proof of an earlier request is refused", async () => {
    const token = bound();
    const proof = proofOf(token);
    const answers = await Promise.all(Array.from({ length: 10 }, async () => time(token, proof)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    api.advance(361);
    expect((await time(bound(), proof)).status).toBe(401);
    api.advance(-361);
  });
});

test("B8: a token that is not bound comes as Bearer alone", async () => {
  const token = api.token();
  expect((await time(token, proofOf(token))).status).toBe(401);
  expect((await time(token, undefined, { scheme: "Bearer" })).status).toBe(200);
});

test.each([
  ["nothing", {}],
  ["a list", []],
  ["a text", "x"],
  ["null", null],
  ["a number for jkt", { jkt: 1 }],
  ["a short jkt", { jkt: "abc" }],
  ["a jkt of another spelling", { jkt: "B".repeat(43) }],
  ["a member that is not known", { jku: "https://evil.example" }],
  ["a certificate too", { jkt: key.jkt, "x5t#S256": key.jkt }],
])("B7: a token whose cnf is %s is no bearer token, nor good with a proof", async (_what, cnf) => {
  const token = api.token({ claims: { cnf } });
  expect((await time(token, undefined, { scheme: "Bearer" })).status).toBe(401);
  expect((await time(token, proofOf(token))).status).toBe(401);
});

test("DPOP_REQUIRED refuses what is not bound, and the metadata and every challenge say so", async () => {
  const nonceKey = "a key of nonces that all instances share";
  const config = { dpop: { required: true, nonceKey } };
  const strict = await startResourceServer({ config });
  try {
    const none = await strict.request("GET /time");
    expect(none.headers["www-authenticate"]).toMatch(/^DPoP .*algs=/);
    expect((await strict.time(strict.token())).status).toBe(401);
    const { body } = await strict.request("GET /.well-known/oauth-protected-resource");
    expect(body).toMatchObject({ dpop_bound_access_tokens_required: true });

    // B6: and with a key of nonces, a proof needs one.
    const token = strict.token({ claims: { cnf: { jkt: key.jkt } } });
    const at = strict.now();
    const first = await time(token, proofOf(token, { at }), { at: strict });
    expect(first.headers["www-authenticate"]).toContain('error="use_dpop_nonce"');
    const nonce = first.headers["dpop-nonce"] ?? "";
    const served = await time(token, proofOf(token, { at: 1, nonce }), { at: strict });
    expect([served.status, served.headers["dpop-nonce"]]).toEqual([200, nonce]);
    strict.advance(301);
    const late = await time(token, proofOf(token, { at, nonce }), { at: strict });
    expect(late.headers["www-authenticate"]).toContain('error="use_dpop_nonce"');
  } finally {
    await strict.stop();
  }
});
