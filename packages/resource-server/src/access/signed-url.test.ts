/** Signed URLs at the resource (docs/protocol.md §5.5). */
import { readSignatureKey } from "@daykey/client/signature-key";
import { signUrl } from "@daykey/client/sign-url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  malformed,
  refusalOf,
  RESOURCE,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";
import { createSignatureKey, invalidSignature, signedHeaders } from "../../test/signature-key.ts";

const FORM =
  "A signed URL ends with dk-key, dk-expires and dk-signature, each once and in this order.";
const TIME = "The signed URL has ended, or ends too far ahead.";

let api: TestResourceServer;
const hmac = createSignatureKey("hmac-sha256");
const ed25519 = createSignatureKey("ed25519");
beforeAll(async () => {
  api = await startResourceServer();
  api.authServer.answerKeys((id) => [hmac, ed25519].find((key) => key.id === id)?.answer());
});
afterAll(() => api.stop());

/** Path and query of a signed URL. */
async function signed(
  target = "/time?zone=UTC",
  { key = hmac, ...options }: { key?: typeof hmac; lifeSeconds?: number; method?: string } = {},
): Promise<string> {
  const url = await signUrl(await readSignatureKey(key.file), target, {
    now: api.now(),
    ...options,
  });
  return url.slice(RESOURCE.length);
}

const get = (target: string): Promise<Answer> => api.request(`GET ${target}`);

const lastRequest = () => api.lines.findLast(({ msg }) => msg === "request");

async function expectRefused(target: string, reason: string, hint?: string): Promise<void> {
  expect(refusalOf(await get(target)), target).toEqual(invalidSignature(hint));
  expect(lastRequest(), target).toMatchObject({ via: "signed_url", reason });
}

test("as the target of the request itself it is of this resource, or 421", async () => {
  const path = await signed();
  for (const [origin, status] of [
    [RESOURCE, 200],
    ["http://other.example", 421],
  ]) {
    const raw = await api.exchange(
      `GET ${origin}${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(raw).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  }
});

describe.each([hmac, ed25519])("$file.algorithm", (key) => {
  test("it is good as often as it is asked for, until it ends", async () => {
    const target = await signed(undefined, { key, lifeSeconds: 60 });
    for (let count = 0; count < 3; count++) {
      const { status, body } = await get(target);
      expect([status, body]).toEqual([200, expect.objectContaining({ zone: "UTC" })]);
    }
    expect(lastRequest()).toMatchObject({ via: "signed_url", client: "billing-cron", kid: key.id });
    api.advance(59);
    expect((await get(target)).status).toBe(200);
    api.advance(1);
    await expectRefused(target, "wrong_time", TIME);
  });

  test("it is good for one method, path and query", async () => {
    const target = await signed(undefined, { key });
    const [path = "", query = ""] = target.split("?");
    const { status } = await api.request(`HEAD ${target}`);
    expect(status).toBe(401);
    await expectRefused(`/primes/7?${query}`, "wrong_signature");
    await expectRefused(`${path}?${query.replace("UTC", "utc")}`, "wrong_signature");
    await expectRefused(`${path}?format=unix&${query}`, "wrong_signature");
    await expectRefused(`${path}?${query.replace("zone=UTC&", "")}`, "wrong_signature");
    const later = /dk-expires=(\d+)/.exec(query)?.[1] ?? "";
    await expectRefused(
      `${path}?${query.replace(later, String(Number(later) + 1))}`,
      "wrong_signature",
    );
    const other = key === hmac ? ed25519 : hmac;
    await expectRefused(`${path}?${query.replace(key.id, other.id)}`, "wrong_signature");
    await expectRefused(`${path}?${query.replace(key.id, createSignatureKey().id)}`, "unknown_key");
    await expectRefused(await signed(undefined, { key, method: "POST" }), "wrong_signature");
    expect((await get(target)).status).toBe(200);
  });
});

test.each([
  "/time?dk-key=0tp1eti4sm2k",
  "/time?dk-signature=AQI",
  "/time?dk-expires=1795262460",
  "/time?dk-key=x&dk-expires=1795262460&dk-signature=AQI",
  "/time?dk-key=0tp1eti4sm2k&dk-expires=&dk-signature=AQI",
  "/time?dk-key=0tp1eti4sm2k&dk-signature=AQI&dk-expires=1795262460",
  "/time?dk-key=0tp1eti4sm2k&dk-expires=1795262460&dk-signature=AQI&zone=UTC",
  "/time?dk-key=0tp1eti4sm2k&dk-expires=1795262460&dk-signature=AQI&dk-signature=AQI",
  "/time?dk-key=0tp1eti4sm2k&dk-key=0tp1eti4sm2k&dk-expires=1795262460&dk-signature=AQI",
  "/time?dk-key=0tp1eti4sm2k&dk-expires=1795262460&dk-signature=A%00",
  `/time?dk-key=0tp1eti4sm2k&dk-expires=1795262460&dk-signature=${"A".repeat(8000)}=`,
])("%s is none", async (target) => {
  expect(refusalOf(await get(target))).toEqual(invalidSignature(FORM));
});

test("it cannot be good for longer than a day", async () => {
  const target = await signed(undefined, { lifeSeconds: 86_400 });
  expect((await get(target)).status).toBe(200);
  api.advance(-301);
  await expectRefused(target, "wrong_time", TIME);
  api.advance(301);
});

test("it does not carry a body, nor a second credential", async () => {
  const target = await signed("/primes", { method: "POST" });
  const headers = { "content-type": "application/json" };
  const answer = await api.request(`POST ${target}`, { headers, body: '{"number":7}' });
  expect(refusalOf(answer)).toEqual(
    invalidSignature("A signed URL is for a request without a body."),
  );
  const own = await signed();
  const twice = [
    await api.request(`GET ${own}`, { token: api.token() }),
    await api.request(`GET ${own}`, {
      headers: await signedHeaders({ key: hmac, created: Math.floor(api.now()), target: own }),
    }),
  ];
  for (const one of twice) expect(refusalOf(one)).toEqual(malformed("Use exactly one credential."));
});

test("C15: no other credential in a URL, beside it or alone, and none in the log", async () => {
  const target = await signed();
  for (const name of ["access_token", "api_key", "signature", "Signature", "hmac", "key"]) {
    for (const query of [`${name}=canary-42`, `${name}=canary-42&${target.split("?")[1]}`]) {
      const { status } = await get(`/time?${query}`);
      expect(status, query).toBe(400);
    }
  }
  expect(api.logText()).not.toContain("canary-42");
  expect(api.logText()).not.toContain(target.slice(-20));
});
