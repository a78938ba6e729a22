/**
 * The shared vectors over WebCrypto: what this SDK makes is what they say, and a checker that is built of
 * its primitives accepts and refuses what a server must (docs/protocol.md §1.3, §1.4).
 */
import { fromHex, toHex, xor } from "@daykey/common/bytes";
import { acceptedDays, formatDay, parseInstant } from "@daykey/common/clock";
import { dayKey, oneTimeHash, oneTimeMessage, parseSecretHash } from "@daykey/common/secret-hash";
import { describe, expect, test } from "vitest";
import vectors from "../../common/vectors/secret-hash.json" with { type: "json" };
import { dayForm } from "./day-form.ts";
import { oneTimeForm } from "./one-time-form.ts";
import { webHash } from "./web-hash.ts";

const { client } = vectors;
const material = { secret: client.client_secret, salt: client.salt };
const clientId = client.client_id;
const instant = (text: string): number => parseInstant(text) ?? Number.NaN;

test.each(vectors.day)("day key and verifier of $date", async ({ date, day_key, verifier }) => {
  const now = instant(`${date}T23:59:59Z`);
  const { form } = await dayForm({ clientId, material }).prove({ issuer: client.issuer, now });
  expect(form).toEqual({ client_id: clientId, client_secret_hash: day_key });
  const key = fromHex(day_key, 32) ?? new Uint8Array();
  expect(toHex(await webHash.sha256(key))).toBe(verifier);
});

test.each(vectors.once)("the one-time hash of $when", async (once) => {
  const secret = { root: client.client_secret, salt: client.salt, kid: once.kid };
  const nonce = fromHex(once.nonce, 16) ?? new Uint8Array();
  const request = { issuer: once.issuer, clientId: once.client_id, nonce };
  const hash = oneTimeHash(webHash, secret, { ...request, epochSeconds: instant(once.when) });
  expect(await hash).toBe(once.client_secret_hash);
});

test.each(vectors.chosen)("a chosen secret by its root", async ({ root, salt, date, day_key }) => {
  const credential = dayForm({ clientId, material: { root, kid: client.kid, salt } });
  const { form } = await credential.prove({
    issuer: client.issuer,
    now: instant(`${date}T00:00:00Z`),
  });
  expect(form?.["client_secret_hash"]).toBe(day_key);
});

test.each(vectors.day_key_proof)(
  "the day key of $date yields the key of its proofs",
  async (vector) => {
    const { dpopKey } = await oneTimeForm({ clientId, material }).prove({
      issuer: client.issuer,
      now: instant(`${vector.date}T12:00:00Z`),
      isForDayKey: true,
    });
    const call = { method: "GET", url: "https://api.example.com/a?b#c", now: 1, accessToken: "t" };
    const proof = (await dpopKey?.prove(call)) ?? "";
    const [header, claims] = proof.split(".", 2).map((part) => atobJson(part));
    expect(header).toEqual({
      typ: "dpop+jwt",
      alg: "EdDSA",
      jwk: { kty: "OKP", crv: "Ed25519", x: vector.x },
    });
    expect(claims).toMatchObject({ htm: "GET", htu: "https://api.example.com/a", iat: 1 });
  },
);

function atobJson(part: string): unknown {
  return JSON.parse(atob(part.replaceAll("-", "+").replaceAll("_", "/")));
}

const used = new Set<string>();

/** What a server says to a hash presented at an instant. */
async function check(presented: string, now: number): Promise<string> {
  const hash = parseSecretHash(presented);
  if (hash?.form !== "day" && hash?.form !== "once") return "malformed";
  const keyOf = (date: string): Promise<Uint8Array> =>
    dayKey(webHash, client.client_secret, client.salt, date);
  if (hash.form === "day") {
    const keys = await Promise.all(acceptedDays(now).map((day) => keyOf(formatDay(day))));
    return keys.some((key) => toHex(key) === toHex(hash.dayKey)) ? "accepted" : "refused";
  }
  const key = await keyOf(hash.when.slice(0, 10));
  const verifier = await webHash.sha256(key);
  const { kid, when, whenAt, nonce } = hash;
  const message = oneTimeMessage({ issuer: client.issuer, clientId, kid, when, nonce });
  const opened = xor(hash.proof, await webHash.hmacSha256(verifier, message));
  const isProof = toHex(await webHash.sha256(opened)) === toHex(verifier);
  if (!isProof || kid !== client.kid) return "refused";
  if (Math.abs(now - whenAt) > 300) return "clock_skew";
  if (used.has(nonce)) return "refused";
  used.add(nonce);
  return "accepted";
}

describe("presented", () => {
  const cases = vectors.cases.map((vector) => [vector.form, vector.name, vector] as const);
  test.each(cases)("%s: %s", async (_form, _name, { client_secret_hash: hash, now, ...vector }) => {
    const expected = [vector.expected].flat();
    const said: string[] = [];
    for (const variant of vector.mutation ? flipped(hash) : expected.map(() => hash)) {
      said.push(await check(variant, instant(now)));
    }
    used.clear();
    expect(said).toEqual(vector.mutation ? Array(256).fill(vector.expected) : expected);
  });
});

/** The hash with each one bit of its proof flipped. */
function flipped(hash: string): string[] {
  const start = hash.length - 64;
  return Array.from({ length: 256 }, (_, bit) => {
    const proof = fromHex(hash.slice(start), 32) ?? new Uint8Array();
    proof[bit >> 3] = (proof[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
    return hash.slice(0, start) + toHex(proof);
  });
}

test("each one-time hash has a nonce of its own, is dated, and is accepted", async () => {
  const credential = oneTimeForm({ clientId, material });
  const now = instant("2026-11-21T12:00:00Z") + 0.9;
  const hashes = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const { form } = await credential.prove({ issuer: client.issuer, now });
      return form?.["client_secret_hash"] ?? "";
    }),
  );
  expect(new Set(hashes.map((hash) => hash.split(".")[2])).size).toBe(20);
  expect(new Set(hashes.map((hash) => hash.slice(0, 29)))).toEqual(
    new Set(["k3f9a1c2.2026-11-21T12:00:00Z"]),
  );
  for (const hash of hashes) expect(await check(hash, now)).toBe("accepted");
});
