/** The assertion itself, checked with the public key as a server would (RFC 7523 §3). */
import type { webcrypto } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { type PrivateJwk, privateKeyJwt } from "./private-key-jwt.ts";

const NOW = 1_795_262_400.7;
const ISSUER = "https://auth.example.com";
const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const RS256 = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};
const ED25519 = { name: "Ed25519" };

const generate = async (
  algorithm: webcrypto.RsaHashedKeyGenParams | { name: string; namedCurve?: string },
): Promise<webcrypto.CryptoKeyPair> =>
  (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
const exportKey = (key: webcrypto.CryptoKeyPair["privateKey"]): Promise<PrivateJwk> =>
  crypto.subtle.exportKey("jwk", key) as Promise<PrivateJwk>;

async function assertionOf(
  options: Omit<Parameters<typeof privateKeyJwt>[0], "clientId">,
): Promise<string> {
  const credential = privateKeyJwt({ clientId: "billing-cron", ...options });
  const { form = {} } = await credential.prove({ issuer: ISSUER, now: NOW });
  const { client_assertion = "", ...rest } = form;
  expect(rest).toEqual({
    client_id: "billing-cron",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  });
  return client_assertion;
}

const bytesOf = (part = ""): Buffer<ArrayBuffer> => Buffer.from(part, "base64url");
const readPart = (part?: string): unknown => JSON.parse(bytesOf(part).toString());

const all = await Promise.all(
  (
    [
      ["ES256", ES256],
      ["RS256", RS256],
      ["Ed25519", ED25519],
    ] as const
  ).map(async ([alg, algorithm]) => [alg, algorithm, await generate(algorithm)] as const),
);

describe.each(all)("%s", (alg, algorithm, { privateKey, publicKey }) => {
  test("header, claims and signature are what a server checks", async () => {
    const assertion = await assertionOf({ key: privateKey, kid: "key-1" });
    const [header, claims, signature] = assertion.split(".");
    expect(assertion).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(readPart(header)).toEqual({ alg, typ: "client-authentication+jwt", kid: "key-1" });
    expect(readPart(claims)).toEqual({
      iss: "billing-cron",
      sub: "billing-cron",
      aud: ISSUER,
      iat: 1_795_262_400,
      exp: 1_795_262_460,
      jti: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    const signed = Buffer.from(`${header}.${claims}`);
    expect(await crypto.subtle.verify(algorithm, publicKey, bytesOf(signature), signed)).toBe(true);
    signed[signed.length - 1] = (signed.at(-1) ?? 0) ^ 1;
    expect(await crypto.subtle.verify(algorithm, publicKey, bytesOf(signature), signed)).toBe(
      false,
    );
  });

  test("from a JWK, whose kid names it", async () => {
    const jwk = { ...(await exportKey(privateKey)), kid: "key-2" };
    for (const key of [jwk, { ...jwk, alg }, () => Promise.resolve(jwk)]) {
      const [header, claims, signature] = (await assertionOf({ key })).split(".");
      expect(readPart(header)).toEqual({ alg, typ: "client-authentication+jwt", kid: "key-2" });
      const signed = Buffer.from(`${header}.${claims}`);
      expect(await crypto.subtle.verify(algorithm, publicKey, bytesOf(signature), signed)).toBe(
        true,
      );
    }
  });

  test("each has a jti of its own", async () => {
    const made = await Promise.all(
      Array.from({ length: 5 }, () => assertionOf({ key: privateKey })),
    );
    const ids = made.map((assertion) => (readPart(assertion.split(".")[1]) as { jti: string }).jti);
    expect(new Set(ids).size).toBe(5);
  });

  test("credential: a public key is none to sign with", async () => {
    await expect(assertionOf({ key: publicKey })).rejects.toMatchObject({ code: "credential" });
    const { d: _, ...key } = await exportKey(privateKey);
    await expect(assertionOf({ key })).rejects.toMatchObject({ code: "credential" });
  });
});

const p384 = await generate({ ...ES256, namedCurve: "P-384" });
const sha512 = await generate({ ...RS256, hash: "SHA-512" });
const short = await generate({ ...RS256, modulusLength: 1024 });
const pss = await generate({ ...RS256, name: "RSA-PSS" });
const es256 = await exportKey((await generate(ES256)).privateKey);

test.each<[string, Parameters<typeof assertionOf>[0]["key"]]>([
  ["P-384", p384.privateKey],
  ["P-384 as JWK", await exportKey(p384.privateKey)],
  ["RSA with SHA-512", sha512.privateKey],
  ["RSA of 1024 bits", short.privateKey],
  ["RSA of 1024 bits as JWK", { ...(await exportKey(short.privateKey)), alg: "RS256" }],
  ["RSA-PSS", pss.privateKey],
  ["a JWK for another algorithm", { ...es256, alg: "ES384" }],
  ["a JWK for a MAC", { ...es256, alg: "HS256" }],
  ["a symmetric JWK", { kty: "oct", d: "x", alg: "ES256" }],
  ["half a JWK", { kty: "EC", crv: "P-256", d: es256.d ?? "" }],
])("credential: %s is no key for this", async (_, key) => {
  const error: unknown = await assertionOf({ key }).catch((e: unknown) => e);
  expect(error).toMatchObject({ name: "DaykeyError", code: "credential" });
  expect(inspect(error, { depth: 9 })).not.toContain(es256.d);
});

test("L1: the credential does not show its key when it is printed", () => {
  const credential = privateKeyJwt({ clientId: "billing-cron", key: es256 });
  expect(inspect(credential, { depth: 9, showHidden: true })).not.toContain(es256.d);
  expect(JSON.stringify(credential)).not.toContain(es256.d);
});
