/** Signature keys, signed requests and signed URLs, as a server would see them. */
import { createHmac, generateKeyPairSync, verify } from "node:crypto";
import { bytesToSign, readSignatures } from "@daykey/common/http-signature";
import { requestMessage } from "@daykey/common/http-signature-base";
import { readSignedUrl, urlInput } from "@daykey/common/signed-url";
import { describe, expect, test } from "vitest";
import type { Fetch } from "./platform.ts";
import { type SignatureKeyFile, readSignatureKey } from "./signature-key.ts";
import { signUrl } from "./sign-url.ts";
import { signedFetch } from "./signed-fetch.ts";

const NOW = 1_795_262_400.75;
const SECRET = Buffer.alloc(32, 7);
const HMAC_FILE: SignatureKeyFile = {
  key_id: "0mi3xyz00001",
  algorithm: "hmac-sha256",
  client_id: "billing-cron",
  resource: "https://api.example.com",
  secret: SECRET.toString("base64url"),
};
const pair = generateKeyPairSync("ed25519");
const ED25519_FILE: SignatureKeyFile = {
  ...HMAC_FILE,
  algorithm: "ed25519",
  private_jwk: pair.privateKey.export({ format: "jwk" }) as { kty: string },
};

interface Sent {
  url: string;
  headers: Headers;
  init: RequestInit;
}

/** A fetch that only takes note. */
function recording(): { sent: Sent[]; fetch: Fetch } {
  const sent: Sent[] = [];
  return {
    sent,
    fetch: (input, init = {}) => {
      sent.push({ url: new Request(input).url, headers: new Headers(init.headers), init });
      return Promise.resolve(new Response("{}"));
    },
  };
}

describe.each([
  ["hmac-sha256", HMAC_FILE],
  ["ed25519", ED25519_FILE],
] as const)("%s", (algorithm, file) => {
  const isGenuine = (data: Uint8Array, signature: Uint8Array): boolean =>
    algorithm === "ed25519"
      ? verify(null, data, pair.publicKey, signature)
      : createHmac("sha256", SECRET).update(data).digest().equals(signature);

  test("a request is signed for the key's resource, wherever it is sent", async () => {
    const { sent, fetch } = recording();
    const key = await readSignatureKey(JSON.stringify(file));
    const call = signedFetch(key, {
      origin: "http://127.0.0.1:5000",
      platform: { fetch, clock: () => NOW },
    });
    await call("/primes?x=1", {
      method: "POST",
      body: '{"number":97}',
      headers: { "content-type": "application/json", "x-other": "kept" },
    });
    const [{ url, headers } = { url: "", headers: new Headers() }] = sent;
    expect(url).toBe("http://127.0.0.1:5000/primes?x=1");
    expect(headers.get("x-other")).toBe("kept");
    const digest = "sha-256=:c+XQ4vS7KWTBqkDOb+HD4ibKZzhcpENN8BSyhyeTsZI=:";
    const fields: Record<string, string[]> = {
      "content-type": ["application/json"],
      "content-digest": [headers.get("content-digest") ?? ""],
    };
    expect(fields["content-digest"]?.[0]?.length).toBe(digest.length);
    const [signature] =
      readSignatures(headers.get("signature-input") ?? "", headers.get("signature") ?? "") ?? [];
    if (!signature) throw new TypeError("unreadable");
    const { nonce, ...parameters } = signature.parameters;
    expect(parameters).toEqual({
      created: 1_795_262_400,
      expires: 1_795_262_700,
      keyid: "0mi3xyz00001",
      alg: algorithm,
      tag: "daykey",
    });
    expect(nonce).toMatch(/^[0-9a-f]{32}$/);
    const named = new URL("https://api.example.com/primes?x=1");
    const message = requestMessage(named, "POST", (name) => fields[name]);
    expect(isGenuine(bytesToSign(message, signature.input), signature.signature)).toBe(true);
  });

  test("a signed URL covers its method, authority, path and query", async () => {
    const key = await readSignatureKey(file);
    const url = await signUrl(key, "/time?zone=UTC#here", { lifeSeconds: 60, now: NOW });
    expect(url).toMatch(
      /^https:\/\/api\.example\.com\/time\?zone=UTC&dk-key=0mi3xyz00001&dk-expires=1795262460&dk-signature=[\w-]+$/,
    );
    const read = readSignedUrl(url.slice("https://api.example.com".length));
    if (!read) throw new TypeError("unreadable");
    const message = requestMessage(new URL("https://api.example.com"), "GET", () => undefined);
    const bytes = bytesToSign({ ...message, target: read.unsigned }, urlInput(read));
    expect(isGenuine(bytes, read.signature)).toBe(true);
  });
});

test("each request has a nonce of its own", async () => {
  const { sent, fetch } = recording();
  const call = signedFetch(await readSignatureKey(HMAC_FILE), { platform: { fetch } });
  await Promise.all(Array.from({ length: 20 }, () => call("/time")));
  const nonces = sent.map(({ headers }) =>
    /nonce="(\w+)"/.exec(headers.get("signature-input") ?? ""),
  );
  expect(new Set(nonces.map((found) => found?.[1])).size).toBe(20);
});

test("what is signed goes to its resource alone, and is sent once", async () => {
  const { sent, fetch } = recording();
  const key = await readSignatureKey(HMAC_FILE);
  const call = signedFetch(key, { platform: { fetch } });
  for (const url of [
    "https://other.example.com/",
    "http://api.example.com/time",
    "https://api.example.com:444/",
  ]) {
    await expect(call(url), url).rejects.toMatchObject({ code: "cross_origin" });
  }
  await expect(signUrl(key, "https://other.example.com/")).rejects.toMatchObject({
    code: "cross_origin",
  });
  expect(() => signedFetch(key, { origin: "http://api.example.com" })).toThrow("neither https");
  expect(sent).toEqual([]);
  await call(new Request("https://api.example.com/time"));
  expect(sent[0]?.init.redirect).toBe("manual");
});

test.each([0, -1, 0.5, 86_401, Number.NaN])("no URL is signed for %d s", async (lifeSeconds) => {
  const key = await readSignatureKey(HMAC_FILE);
  await expect(signUrl(key, "/time", { lifeSeconds })).rejects.toThrow(TypeError);
  await expect(signUrl(key, "/time?dk-key=x")).rejects.toThrow("signed already");
});

test.each([
  "/time",
  "/time?dk-key=0mi3xyz00001&dk-expires=1",
  "/time?dk-expires=1&dk-key=0mi3xyz00001&dk-signature=AQI",
  "/time?dk-key=0mi3xyz00001&dk-expires=1&dk-signature=AQI&x=1",
  "/time?dk-key=0mi3xyz00001&dk-expires=1&dk-signature=AQI&dk-signature=AQI",
  "/time?dk-key=0mi3xyz00001&dk-key=0mi3xyz00001&dk-expires=1&dk-signature=AQI",
  "/time?d%6b-expires=2&dk-key=0mi3xyz00001&dk-expires=1&dk-signature=AQI",
  "/time?dk-key=0mi3xyz0000&dk-expires=1&dk-signature=AQI",
  "/time?dk-key=0MI3XYZ00001&dk-expires=1&dk-signature=AQI",
  "/time?dk-key=0mi3xyz00001&dk-expires=-1&dk-signature=AQI",
  "/time?dk-key=0mi3xyz00001&dk-expires=1e3&dk-signature=AQI",
  "/time?dk-key=0mi3xyz00001&dk-expires=1234567890123&dk-signature=AQI",
  "/time?dk-key=0mi3xyz00001&dk-expires=1&dk-signature=AQJ",
  "/time?dk-key=0mi3xyz00001&dk-expires=1&dk-signature=AQI=",
  "/time?dk-key=0mi3xyz00001&dk-expires=1&dk-signature=A%51I",
])("%s is no signed URL", (target) => expect(readSignedUrl(target)).toBeUndefined());

const { secret: _, ...withoutSecret } = HMAC_FILE;
test.each([
  "",
  "[]",
  "null",
  "{",
  { ...HMAC_FILE, key_id: "0mi3xyz0000" },
  { ...HMAC_FILE, key_id: "0mi3xyz00001\n" },
  { ...HMAC_FILE, client_id: "" },
  { ...HMAC_FILE, resource: "api.example.com" },
  { ...HMAC_FILE, algorithm: "rsa-pss-sha512" },
  { ...HMAC_FILE, algorithm: "constructor" },
  { ...HMAC_FILE, algorithm: "ed25519" },
  withoutSecret,
  { ...HMAC_FILE, secret: SECRET.toString("base64") },
  { ...HMAC_FILE, secret: SECRET.subarray(1).toString("base64url") },
  { ...ED25519_FILE, private_jwk: pair.publicKey.export({ format: "jwk" }) },
  { ...ED25519_FILE, private_jwk: { kty: "oct", k: HMAC_FILE.secret } },
  { ...ED25519_FILE, algorithm: "hmac-sha256", secret: undefined },
  { ...ED25519_FILE, private_jwk: "x" },
])("%j is no signature key", async (file) => {
  await expect(readSignatureKey(file as string)).rejects.toMatchObject({ code: "credential" });
});

test("a key shows nothing of itself", async () => {
  const key = await readSignatureKey(HMAC_FILE);
  expect(JSON.stringify(key)).not.toContain(HMAC_FILE.secret);
  await expect(readSignatureKey(() => Promise.reject(new SyntaxError("s3cret")))).rejects.toThrow(
    "cannot be read",
  );
});
