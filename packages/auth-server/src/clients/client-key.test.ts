/** C11: what may be registered as a client's key (RFC 7517, RFC 7518 §6, RFC 7638). */
import { generateKeyPairSync, generatePrimeSync } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import { describe, expect, test } from "vitest";
import { ProblemError } from "@daykey/service/http/problem-error";
import { registrableKey, usableKeys, usablePublishedKeys } from "./client-key.ts";

async function publicJwk(algorithm: string): Promise<JWK> {
  return exportJWK((await generateKeyPair(algorithm, { extractable: true })).publicKey);
}

function rsa(modulusLength: number, publicExponent = 65_537): JWK {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength, publicExponent });
  return publicKey.export({ format: "jwk" });
}

/** Decodes to the same 32 bytes: the last of 43 letters has two bits that mean nothing. */
function withSpareBits(text: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1) ?? "") + 1];
}

/** Why it is refused, or undefined. */
function faultOf(jwk: unknown): string | undefined {
  try {
    registrableKey(jwk);
    return undefined;
  } catch (error) {
    const isOurs = error instanceof ProblemError && error.code === "invalid-key";
    if (!isOurs || error.status !== 400) throw error;
    return error.detail;
  }
}

describe("a key without alg and kid", () => {
  test.each([
    ["ES256", "ES256"],
    ["Ed25519", "Ed25519"],
    ["RS256", "RS256"],
    ["PS256", "RS256"],
  ])(
    "made for %s is for %s, its kid is its thumbprint, and only public members are kept",
    async (made, expected) => {
      const jwk = await publicJwk(made);
      const kid = await calculateJwkThumbprint(jwk);
      const { key, ...rest } = registrableKey({
        ...jwk,
        ext: true,
        anything: "else",
        x5u: "https://keys.example/a",
      });
      expect(rest).toEqual({
        kid,
        algorithm: expected,
        publicJwk: { ...jwk, kid, alg: expected, use: "sig" },
      });
      expect(key.type).toBe("public");
    },
  );
});

test("alg chooses between RSA's two; EdDSA is Ed25519", async () => {
  expect(registrableKey({ ...rsa(2048), alg: "PS256", kid: "a" }).algorithm).toBe("PS256");
  expect(registrableKey({ ...(await publicJwk("Ed25519")), alg: "EdDSA" }).algorithm).toBe(
    "Ed25519",
  );
});

test("kids as others make them", async () => {
  const jwk = await publicJwk("ES256");
  for (const kid of ["a", "x".repeat(128), "Zm9v+/=", "urn:uuid:1", "key/1"]) {
    expect(registrableKey({ ...jwk, kid }).kid).toBe(kid);
  }
});

describe("refused", () => {
  test("an RSA key below 2048 bits or above 4096, or with a small exponent", () => {
    const words = "An RSA key has 2048 to 4096 bits and the exponent 65537.";
    const odd = Buffer.alloc(513, 0xff).toString("base64url");
    expect(faultOf(rsa(1024))).toBe(words);
    expect(faultOf(rsa(2040))).toBe(words);
    expect(faultOf(rsa(2048, 3))).toBe(words);
    expect(faultOf({ kty: "RSA", e: "AQAB", n: odd })).toBe(words);
    expect(faultOf(rsa(2048))).toBeUndefined();
  });

  test("a private key, whichever of its members stands there", async () => {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    const ec = await exportJWK(privateKey);
    const jwk = await publicJwk("RS256");
    const members = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    for (const given of [ec, ...members.map((name) => ({ ...jwk, [name]: "AQAB" }))]) {
      expect(faultOf(given)).toContain("private key");
    }
  });

  test("symmetric keys, other curves, and what is no key", async () => {
    const others = [
      { kty: "oct", alg: "HS256" },
      await publicJwk("ES384"),
      await publicJwk("X25519").catch(() => ({ kty: "OKP", crv: "X25519", x: "A".repeat(43) })),
      { kty: "__proto__" },
      { kty: "EC", crv: "toString" },
      {},
      [],
    ];
    for (const jwk of others) expect(faultOf(jwk)).toBe("The key is of P-256, Ed25519 or RSA.");
    for (const jwk of [null, undefined, "x", 1, true]) {
      expect(faultOf(jwk)).toBe("The key is a JWK, a JSON object.");
    }
  });

  test("a key that is for something else", async () => {
    const jwk = await publicJwk("ES256");
    for (const rest of [
      { use: "enc" },
      { use: 1 },
      { key_ops: ["encrypt"] },
      { key_ops: "verify" },
    ]) {
      expect(faultOf({ ...jwk, ...rest })).toBe("The key is not one for signatures.");
    }
    for (const alg of ["HS256", "none", "ES384", "RS256", "ECDH-ES", "", null, 1, ["ES256"]]) {
      const fault = faultOf({ ...jwk, alg });
      expect(fault, String(alg)).toBe(alg === null ? undefined : "alg is ES256 for this key.");
    }
  });

  test("numbers that are misspelled, missing, or no point of the curve", async () => {
    const jwk = (await publicJwk("ES256")) as { x: string; y: string };
    const words = "The key's numbers are not written as RFC 7518 §6 wants, or are no key.";
    const bad = [
      { ...jwk, x: `${jwk.x}=` },
      { ...jwk, x: `AA${jwk.x}` },
      { ...jwk, x: withSpareBits(jwk.x) },
      { ...(await publicJwk("RS256")), e: "AQAB=" },
      { ...jwk, x: jwk.x.slice(0, -2) },
      { ...jwk, x: jwk.y, y: jwk.x },
      { ...jwk, x: 1 },
      { ...jwk, y: "" },
      { ...jwk, y: undefined },
      { kty: "OKP", crv: "Ed25519", x: "A".repeat(42) },
      { kty: "OKP", crv: "Ed25519" },
      { kty: "RSA", n: "AQAB" },
      { kty: "RSA", e: "AQAB" },
      { kty: "RSA", e: "AQAB", n: {} },
    ];
    for (const given of bad) expect(faultOf(given), JSON.stringify(given)).toBe(words);
  });

  test("a kid that could not stand in a log or a token", async () => {
    const jwk = await publicJwk("ES256");
    for (const kid of ["", "a b", "a\n", "é", "x".repeat(129), 1, ["a"], {}]) {
      expect(faultOf({ ...jwk, kid })).toBe(
        "kid is 1 to 128 printable ASCII characters without spaces.",
      );
    }
  });
});

test("a key that protects nothing, with the reason", async () => {
  const good = (await publicJwk("RS256")) as { n: string };
  const modulus = Buffer.from(good.n, "base64url");
  modulus.writeUInt8(modulus.readUInt8(255) & 0xfe, 255);
  const weak: [jwk: object, fault: string][] = [
    [{ ...good, n: modulus.toString("base64url") }, "The RSA modulus has a small factor."],
    [{ ...good, e: "Aw" }, "An RSA key has 2048 to 4096 bits and the exponent 65537."],
    [
      { kty: "OKP", crv: "Ed25519", x: Buffer.alloc(32).toString("base64url") },
      "The Ed25519 key is a point of small order.",
    ],
  ];
  for (const [jwk, fault] of weak) expect(faultOf(jwk)).toBe(fault);
  const passedOver: string[] = [];
  const set = [...weak.map(([jwk]) => jwk), { ...good, kid: "good" }];
  expect(usableKeys(set, (fault) => passedOver.push(fault)).map(({ kid }) => kid)).toEqual([
    "good",
  ]);
  expect(passedOver).toEqual(weak.map(([, fault]) => fault));
});

test("an RSA modulus that is a prime, registered or published", async () => {
  const good = await publicJwk("RS256");
  const prime = { ...good, n: Buffer.from(generatePrimeSync(2048)).toString("base64url") };
  const fault = "The RSA modulus is a prime, so its private key is known.";
  expect(faultOf(prime)).toBe(fault);
  const passedOver: string[] = [];
  const set = [{ ...prime, kid: "weak" }, { ...good, kid: "good" }, await publicJwk("ES256")];
  const passOver = (why: string): unknown => passedOver.push(why);
  const kept = await usablePublishedKeys(set, { most: 3, passOver });
  expect(kept.map(({ algorithm }) => algorithm)).toEqual(["RS256", "ES256"]);
  expect(passedOver).toEqual([fault]);
});

test("of a published set what is no usable key is passed over, and a kid's second", async () => {
  const [a, b] = [await publicJwk("ES256"), await publicJwk("Ed25519")];
  const set = [null, rsa(1024), { ...a, kid: "a" }, { kty: "oct", k: "AA" }, { ...b, kid: "a" }, b];
  expect(usableKeys(set).map(({ kid, algorithm }) => [kid, algorithm])).toEqual([
    ["a", "ES256"],
    [await calculateJwkThumbprint(b), "Ed25519"],
  ]);
});
