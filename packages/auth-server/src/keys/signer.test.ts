/** Our signatures and key ids against jose's. */
import { createPublicKey, verify } from "node:crypto";
import { calculateJwkThumbprint, decodeProtectedHeader, importJWK, jwtVerify } from "jose";
import { expect, test } from "vitest";
import type { AccessTokenClaims } from "@daykey/common/access-token";
import { createSigningKey, generateSigningKey } from "./signer.ts";

const CLAIMS: AccessTokenClaims = {
  iss: "https://auth.example.test",
  sub: "a-client",
  client_id: "a-client",
  aud: "https://api.example.test",
  iat: 1_800_000_000,
  exp: 1_800_000_600,
  jti: "AAAAAAAAAAAAAAAAAAAAAA",
  scope: "time:read",
  gid: "01939d5b-2c40-7a1b-8c2d-3e4f5a6b7c8d",
  ep: 0,
  cred: "k3f9a1c2",
};

/** RFC 7518 §6, RFC 8037 §2: what is public of each kind of key. */
const PUBLIC_MEMBERS = {
  ES256: { kty: "EC", crv: "P-256", x: expect.any(String), y: expect.any(String) },
  RS256: { kty: "RSA", n: expect.stringMatching(/^[\w-]{342}$/), e: "AQAB" },
  Ed25519: { kty: "OKP", crv: "Ed25519", x: expect.any(String) },
  EdDSA: { kty: "OKP", crv: "Ed25519", x: expect.any(String) },
};

for (const algorithm of ["ES256", "RS256", "Ed25519", "EdDSA"] as const) {
  test(`${algorithm}: jose verifies what is signed; the kid is the thumbprint (RFC 7638)`, async () => {
    const { kid, privateKey } = await generateSigningKey(algorithm);
    const key = await createSigningKey(kid, algorithm, privateKey);
    expect(key.publicJwk).toEqual({
      ...PUBLIC_MEMBERS[algorithm],
      kid: await calculateJwkThumbprint(key.publicJwk),
      alg: algorithm,
      use: "sig",
    });
    const publicKey = await importJWK(key.publicJwk, algorithm);
    for (let i = 0; i < 20; i++) {
      const token = key.sign({ ...CLAIMS, jti: String(i) });
      expect(decodeProtectedHeader(token)).toEqual({ alg: algorithm, typ: "at+jwt", kid });
      const { payload } = await jwtVerify(token, publicKey, {
        algorithms: [algorithm],
        currentDate: new Date(CLAIMS.iat * 1000),
      });
      expect(payload).toEqual({ ...CLAIMS, jti: String(i) });
    }
  });
}

test("RFC 7518 §3.4: an ES256 signature is r and s of 32 bytes each, whatever their size", async () => {
  const { kid, privateKey } = await generateSigningKey("ES256");
  const key = await createSigningKey(kid, "ES256", privateKey);
  const publicKey = createPublicKey(privateKey);
  const numbers = new Set<string>();
  // One number in 256 is shorter than 32 bytes, half of them need a leading 0 in DER.
  for (let i = 0; i < 3000; i++) {
    const token = key.sign({ ...CLAIMS, jti: String(i) });
    const dot = token.lastIndexOf(".");
    const signature = Buffer.from(token.slice(dot + 1), "base64url");
    expect(signature).toHaveLength(64);
    const options = { key: publicKey, dsaEncoding: "ieee-p1363" as const };
    expect(verify("sha256", Buffer.from(token.slice(0, dot)), options, signature)).toBe(true);
    for (const at of [0, 32])
      numbers.add(signature[at] === 0 ? "short" : signature.readInt8(at) < 0 ? "high" : "low");
  }
  expect(numbers).toEqual(new Set(["short", "high", "low"]));
});
