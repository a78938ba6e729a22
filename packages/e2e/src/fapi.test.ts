/**
 * The modules of the OpenID conformance suite for FAPI 2.0 Security Profile, Final, with the client
 * credentials grant, made anew: `fapi2-security-profile-final-client-credentials-grant-test-plan`. Each has
 * the suite's name without its beginning, and checks what the suite's says it does.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { HOSTILE_TOKEN_PROOFS } from "@daykey/service/test/dpop-proofs";
import { ISSUER } from "@daykey/auth-server/test/auth-server";
import { signJwt } from "@daykey/auth-server/test/assertions";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  type Bench,
  type FapiClient,
  RESOURCE_URI,
  startFapiBench,
  type Variant,
} from "../test/fapi.ts";
import { ROOT } from "../test/stack.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startFapiBench();
});
afterAll(() => bench.stop());

const VARIANTS: readonly Variant[] = [
  { auth: "private_key_jwt", binding: "dpop" },
  { auth: "private_key_jwt", binding: "mtls" },
  { auth: "mtls", binding: "dpop" },
  { auth: "mtls", binding: "mtls" },
];

const inverted = (text: string): string =>
  text.replaceAll(/[a-z]/gi, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );

async function issued(variant: Variant, client: FapiClient): Promise<string> {
  const answer = await bench.token(variant, client);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return String(answer.body["access_token"]);
}

/** With all that the token's binding needs, by what this client has. */
async function use(
  { binding }: Variant,
  client: FapiClient,
  token: string,
  scheme = binding === "dpop" ? "DPoP" : "Bearer",
): Promise<number> {
  const { status } = await bench.resource({
    headers: {
      authorization: `${scheme} ${token}`,
      ...(binding === "dpop" && { dpop: bench.resourceProof(client, token) }),
    },
    certificate: binding === "mtls" ? client.certificate : undefined,
  });
  return status;
}

function expectError({ status, headers, body }: Answer, ...errors: string[]): void {
  expect([400, 401]).toContain(status);
  expect(headers["content-type"]).toMatch(/^application\/json/);
  expect(errors).toContain(body["error"]);
  expect(body["error_description"]).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
}

/** A cipher of TLS 1.2 by which the server can be reached, or an error. */
async function reach(options: object): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const socket = connect({
    port: bench.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ...options,
  });
  socket.once("secureConnect", () => {
    resolve(socket.getCipher().name);
    socket.destroy();
  });
  socket.once("error", reject);
  return promise;
}

const assertionFails =
  (claims: Record<string, unknown>) =>
  async (variant: Variant): Promise<void> => {
    const client = await bench.client(variant);
    const assertion = bench.assertion(client, { claims });
    expectError(await bench.token(variant, client, { assertion }), "invalid_client");
  };

async function proofSucceeds(variant: Variant, changes: (now: number) => object): Promise<void> {
  const client = await bench.client(variant);
  const claims = changes(Math.floor(bench.server.now()));
  const answer = await bench.token(variant, client, {
    proof: bench.tokenProof(client, { claims: claims as Record<string, unknown> }),
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  const token = String(answer.body["access_token"]);
  const proof = bench.resourceProof(client, token, { claims: claims as Record<string, unknown> });
  const headers = { authorization: `DPoP ${token}`, dpop: proof };
  expect((await bench.resource({ headers })).status).toBe(200);
}

interface Module {
  /** The variants that it is for; all of them when undefined. */
  only?: Partial<Variant>;
  run(variant: Variant): Promise<void>;
}

const MODULES: Readonly<Record<string, Module>> = {
  "discovery-end-point-verification": {
    async run({ auth, binding }) {
      const { status, headers, body } = await bench.metadata();
      expect(status).toBe(200);
      expect(headers["content-type"]).toMatch(/^application\/json/);
      const has = (...values: string[]): unknown => expect.arrayContaining(values);
      expect(body).toMatchObject({
        issuer: ISSUER,
        token_endpoint: `${ISSUER}/oauth2/token`,
        grant_types_supported: has("client_credentials"),
        token_endpoint_auth_methods_supported: has(
          auth === "mtls" ? "tls_client_auth" : "private_key_jwt",
        ),
        token_endpoint_auth_signing_alg_values_supported: has("PS256", "ES256", "EdDSA"),
        ...(binding === "dpop"
          ? { dpop_signing_alg_values_supported: has("ES256", "EdDSA") }
          : { tls_client_certificate_bound_access_tokens: true }),
      });
    },
  },
  "happy-flow": {
    async run(variant) {
      const [one, two] = await Promise.all([bench.client(variant), bench.client(variant)]);
      const { headers, body } = await bench.token(variant, one);
      expect(headers["cache-control"]).toBe("no-store");
      expect(body).toMatchObject({
        token_type: variant.binding === "dpop" ? "DPoP" : "Bearer",
        expires_in: expect.any(Number) as unknown,
        scope: "time:read",
      });
      const tokens = [await issued(variant, one), await issued(variant, two)] as const;
      expect(await use(variant, one, tokens[0])).toBe(200);
      expect(await use(variant, two, tokens[1])).toBe(200);
      // The second client's key or certificate is no good with the first one's token.
      expect(await use(variant, two, tokens[0])).toBe(401);
    },
  },
  "access-token-type-header-case-sensitivity": {
    async run(variant) {
      const client = await bench.client(variant);
      const scheme = inverted(variant.binding === "dpop" ? "DPoP" : "Bearer");
      expect(await use(variant, client, await issued(variant, client), scheme)).toBe(200);
    },
  },
  "check-dpop-proof-nbf-exp": {
    only: { binding: "dpop" },
    run: async (variant) => proofSucceeds(variant, (now) => ({ nbf: now, exp: now + 300 })),
  },
  "ensure-dpopproof-with-iat-10seconds-before-succeeds": {
    only: { binding: "dpop" },
    run: async (variant) => proofSucceeds(variant, (now) => ({ iat: now - 10 })),
  },
  "ensure-dpopproof-with-iat-10seconds-after-succeeds": {
    only: { binding: "dpop" },
    run: async (variant) => proofSucceeds(variant, (now) => ({ iat: now + 10 })),
  },
  "ensure-client-id-in-token-endpoint": {
    async run(variant) {
      const [one, two] = await Promise.all([bench.client(variant), bench.client(variant)]);
      const claims = { iss: two.clientId, sub: two.clientId };
      const answer = await bench.token(variant, one, {
        clientId: two.clientId,
        ...(one.key && { assertion: bench.assertion(one, { claims }) }),
      });
      expectError(answer, "invalid_client", "invalid_grant");
    },
  },
  "ensure-holder-of-key-required": {
    async run(variant) {
      const client = await bench.client(variant);
      const tooOld = { maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "ALL:@SECLEVEL=0" };
      await expect(reach(tooOld)).rejects.toThrow(/protocol version|unsupported/i);
      const gcm = "ECDHE-ECDSA-AES128-GCM-SHA256";
      expect(await reach({ maxVersion: "TLSv1.2", ciphers: gcm })).toBe(gcm);
      const cbc = { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA256" };
      await expect(reach(cbc)).rejects.toThrow(/handshake failure/);
      const missing =
        variant.binding === "dpop" ? { proof: undefined } : { certificate: undefined };
      expectError(
        await bench.token(variant, client, missing),
        "invalid_request",
        variant.binding === "dpop" ? "invalid_dpop_proof" : "invalid_client",
      );
    },
  },
  "ensure-signed-client-assertion-with-RS256-fails": {
    only: { auth: "private_key_jwt" },
    async run(variant) {
      const client = await bench.client(variant, "PS256");
      expect((await bench.token(variant, client)).status).toBe(200);
      const [, payload = ""] = bench.assertion(client).split(".");
      const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as object;
      if (!client.key) throw new TypeError("this client has no key");
      const key = { ...client.key, algorithm: "RS256" } as const;
      const assertion = signJwt(key, { alg: "RS256", kid: key.kid }, { ...claims });
      expectError(await bench.token(variant, client, { assertion }), "invalid_client");
    },
  },
  "ensure-client-assertion-in-token-endpoint": {
    only: { auth: "private_key_jwt" },
    async run(variant) {
      const client = await bench.client(variant);
      const { clientId } = client;
      const answer = await bench.token(variant, client, { assertion: undefined, clientId });
      expectError(answer, "invalid_client");
    },
  },
  "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails": {
    only: { auth: "private_key_jwt" },
    run: async (variant) => assertionFails({ exp: Math.floor(bench.server.now()) - 300 })(variant),
  },
  "ensure-client-assertion-with-wrong-aud-fails": {
    only: { auth: "private_key_jwt" },
    run: assertionFails({ aud: "https://other.example.test" }),
  },
  "ensure-client-assertion-with-no-sub-fails": {
    only: { auth: "private_key_jwt" },
    run: assertionFails({ sub: undefined }),
  },
  "dpop-negative-tests": {
    only: { binding: "dpop" },
    async run(variant) {
      const client = await bench.client(variant);
      const token = await issued(variant, client);
      const at = bench.server.now();
      const good = { method: "GET", uri: RESOURCE_URI, accessToken: token, at };
      const send = async (headers: Record<string, string | string[]>): Promise<number> =>
        (await bench.resource({ headers: { authorization: `DPoP ${token}`, ...headers } })).status;
      const proof = (changes = {}): string => bench.resourceProof(client, token, changes);
      expect(await send({ DPOP: proof() })).toBe(200);
      expect(await send({ dpop: [proof(), proof()] })).toBe(401);
      for (const [name, make] of HOSTILE_TOKEN_PROOFS) {
        expect(await send({ dpop: make(client.proofKey, good) }), name).toBe(401);
      }
      expect(await send({ dpop: proof({ uri: `${RESOURCE_URI}?a=b#c` }) })).toBe(200);
      for (const hour of [-3600, 3600])
        expect(await send({ dpop: proof({ at: at + hour }) })).toBe(401);
      const once = proof();
      expect([await send({ dpop: once }), await send({ dpop: once })]).toEqual([200, 401]);
      const more = { header: { extra: 1 }, claims: { extra: 1 } };
      expect(await send({ dpop: proof(more) })).toBe(200);
      const bearer = { authorization: `Bearer ${token}` };
      expect(await send({ ...bearer, dpop: proof() })).toBe(401);
      expect(await send(bearer)).toBe(401);
    },
  },
};

const isFor = ({ only = {} }: Module, variant: Variant): boolean =>
  Object.entries(only).every(([name, value]) => variant[name as keyof Variant] === value);

describe.each(VARIANTS)("B9: FAPI 2.0 with $auth and $binding", (variant) => {
  const own = Object.entries(MODULES).filter(([, module]) => isFor(module, variant));
  test.each(own)("%s", async (_name, module) => {
    await module.run(variant);
    expect.hasAssertions();
  });
});

test("docs/reference/fapi.md has each module, and says which variants it is for", () => {
  const page = readFileSync(new URL("docs/reference/fapi.md", `file://${ROOT}/`), "utf8");
  const rows = [...page.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, name, cells = ""]) => [
    name,
    cells.split("|").map((cell) => cell.trim()),
  ]);
  const expected = Object.entries(MODULES).map(([name, module]) => [
    name,
    VARIANTS.map((variant) => (isFor(module, variant) ? "passes" : "–")),
  ]);
  expect(rows).toEqual(expected);
});
