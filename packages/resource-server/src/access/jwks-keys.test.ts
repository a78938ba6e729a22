/** Which members of a key set become keys. */
import { generateKeyPairSync } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { createSigningKey, signParts } from "../../test/issuer.ts";
import {
  INVALID_TOKEN,
  refusalOf,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

let api: TestResourceServer;
afterEach(() => api.stop());

const statusOf = async (token: string): Promise<number> => (await api.time(token)).status;

/** A server whose issuer publishes this before and after a good key. */
async function startWith(member: unknown): Promise<void> {
  api = await startResourceServer();
  api.issuer.publish(member, api.key.jwk, member);
  expect(await statusOf(api.token())).toBe(200);
  api.advance(30);
}

const key = createSigningKey();
const privateJwk = { ...key.jwk, ...key.privateKey.export({ format: "jwk" }) };
const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const without = (name: string) => ({ ...key.jwk, [name]: undefined });

test.each([
  ["one without a kid", without("kid")],
  ["one whose kid is no text", { ...key.jwk, kid: [key.kid] }],
  ["one without alg", without("alg")],
  ["an alg that is not allowed", { ...key.jwk, alg: "ES384" }],
  ["alg none", { ...key.jwk, alg: "none" }],
  ["an alg of another kind of key", { ...key.jwk, alg: "RS256" }],
  ["a key for encryption", { ...key.jwk, use: "enc" }],
  ["a key for other operations", { ...key.jwk, key_ops: ["deriveKey"] }],
  ["a key for no operation", { ...key.jwk, key_ops: [] }],
  ["a private key", privateJwk],
  ["a secret", { kid: key.kid, kty: "oct", alg: "HS256", k: "c2VjcmV0" }],
  ["a secret as ES256", { kid: key.kid, kty: "oct", alg: "ES256", k: "c2VjcmV0" }],
  ["a point off the curve", { ...key.jwk, y: key.jwk.x }],
  ["a coordinate cut short", { ...key.jwk, x: "AA" }],
  ["another curve", { ...p384.publicKey.export({ format: "jwk" }), kid: key.kid, alg: "ES256" }],
  ["null", null],
  ["text", "key"],
  ["a list", [key.jwk]],
  ["nothing in it", {}],
])("V2: no key of the set is %s, and it does not spoil the others", async (_name, member) => {
  await startWith(member);
  const answer = await api.time(api.token({ key }));
  expect(refusalOf(answer)).toEqual(INVALID_TOKEN);
  expect(api.lines.at(-1)).toMatchObject({ reason: "unknown_kid" });
  expect(await statusOf(api.token())).toBe(200);
});

test.each([
  ["without use", without("use")],
  ["for verifying", { ...key.jwk, key_ops: ["verify"] }],
  ["that is not to be exported", { ...key.jwk, ext: false }],
  ["with members nobody knows", { ...key.jwk, iat: 1, x5c: ["AA"], x5u: "https://a.example" }],
])("a key %s is used", async (_name, member) => {
  await startWith(member);
  expect(await statusOf(api.token({ key }))).toBe(200);
});

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const rsaJwk = rsa.publicKey.export({ format: "jwk" });
const smallOrder = `01${"00".repeat(31)}`;

test.each([
  ["an RSA key below 2048 bits", weak.publicKey.export({ format: "jwk" }), "RS256"],
  ["an RSA key whose exponent is 1", { ...rsaJwk, e: "AQ" }, "RS256"],
  ["an RSA key whose exponent is 3", { ...rsaJwk, e: "Aw" }, "RS256"],
  ["an RSA key whose modulus is even", { ...rsaJwk, n: `${rsaJwk.n?.slice(0, -1)}A` }, "RS256"],
  [
    "an Ed25519 key of small order",
    { kty: "OKP", crv: "Ed25519", x: Buffer.from(smallOrder, "hex").toString("base64url") },
    "Ed25519",
  ],
] as const)("V2: no key of the set is %s", async (_name, material, alg) => {
  await startWith({ ...material, kid: "weak", alg });
  const signer = { kid: "weak", algorithm: "RS256", ...rsa, jwk: rsaJwk } as const;
  const answer = await api.time(signParts(signer, { alg, kid: "weak", typ: "at+jwt" }, {}));
  expect(refusalOf(answer)).toEqual(INVALID_TOKEN);
  expect(api.lines.at(-1)).toMatchObject({ reason: "unknown_kid" });
});
