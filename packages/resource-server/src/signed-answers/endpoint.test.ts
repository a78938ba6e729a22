/** Signed answers, asked for and verified by the SDK and by hand (RFC 9421 §5, docs/protocol.md §4.10). */
import { createPublicKey, generateKeyPairSync, type JsonWebKey, verify } from "node:crypto";
import { verifiedFetch } from "@daykey/client/verified-fetch";
import { isContentDigestOf } from "@daykey/common/content-digest";
import { bytesToSign, readSignatures } from "@daykey/common/http-signature";
import { requestMessage } from "@daykey/common/http-signature-base";
import { webDigest } from "@daykey/client/web-signature";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  parseAnswer,
  RESOURCE,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";
import { readAnswerKeys } from "@daykey/guard/signed-answers/answer-key";

const es256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const servers = new Map<string, TestResourceServer>();
let api: TestResourceServer;
beforeAll(async () => {
  api = await startResourceServer();
  servers.set("Ed25519", api);
  const answerKeys = readAnswerKeys(JSON.stringify(es256.export({ format: "jwk" })));
  if (!answerKeys) throw new TypeError("no key");
  servers.set("ES256", await startResourceServer({ config: { answerKeys } }));
});
afterAll(async () => {
  for (const server of servers.values()) await server.stop();
});

const WISH =
  'sig=("@status" "content-digest" "content-type" "@method";req "@authority";req "@path";req "@query";req)';

const ask = (wanted: string, target = "GET /time?zone=UTC"): Promise<Answer> =>
  api.request(target, { token: api.token(), headers: { "Accept-Signature": wanted } });

const lastAnswer = (): unknown => api.lines.findLast(({ msg }) => msg === "request")?.["answer"];

function fieldsOf(answer: Answer) {
  return (name: string): string[] | undefined => {
    const value = answer.headers[name];
    return value === undefined ? undefined : [value];
  };
}

/** Whether the answer's one signature is genuine. */
async function isGenuine(answer: Answer, target = "/time?zone=UTC"): Promise<boolean> {
  const { headers, status, text } = answer;
  const [read] = readSignatures(headers["signature-input"] ?? "", headers["signature"] ?? "") ?? [];
  const { body } = await api.request("GET /.well-known/jwks.json");
  const { keys } = body as { keys: (JsonWebKey & { kid: string })[] };
  const jwk = keys.find(({ kid }) => kid === read?.parameters.keyid);
  const digest = headers["content-digest"] ?? "";
  if (!read || !jwk || !(await isContentDigestOf(webDigest, digest, Buffer.from(text))))
    return false;
  const request = requestMessage(new URL(target, RESOURCE), "GET", () => undefined);
  const bytes = bytesToSign({ status, fields: fieldsOf(answer), request }, read.input);
  return verify(null, bytes, createPublicKey({ key: jwk, format: "jwk" }), read.signature);
}

test("the length can be covered too, of an answer and of a refusal", async () => {
  for (const token of [api.token(), "none"]) {
    const answer = await api.request("GET /time?zone=UTC", {
      token,
      headers: { "Accept-Signature": 'sig=("content-length");nonce="n"' },
    });
    expect(answer.status).toBe(token === "none" ? 401 : 200);
    expect(answer.headers["signature-input"]).toContain('"content-length"');
    expect(await isGenuine(answer)).toBe(true);
  }
});

test("the key set holds the public key alone (RFC 7517)", async () => {
  for (const [alg, server] of servers) {
    const { status, headers, body } = await server.request("GET /.well-known/jwks.json");
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "application/jwk-set+json",
      "cache-control": "public, max-age=300",
    });
    const { keys } = body as { keys: JsonWebKey[] };
    expect(keys).toEqual([expect.objectContaining({ alg, use: "sig" })]);
    expect(keys[0]).not.toHaveProperty("d");
  }
});

test("an answer is signed as asked, and over what it answers", async () => {
  const answer = await ask(`${WISH};created;nonce="n-1";tag="mine"`);
  expect(answer.status).toBe(200);
  const input = answer.headers["signature-input"] ?? "";
  expect(input.startsWith(`${WISH};created=${Math.floor(api.now())};keyid="`)).toBe(true);
  expect(input.endsWith(';alg="ed25519";nonce="n-1";tag="mine"')).toBe(true);
  expect(lastAnswer()).toBe("signed");
  expect(await isGenuine(answer)).toBe(true);
});

test("whatever less is asked for, the answer and its request are covered", async () => {
  const answer = await ask('x=("cache-control" "@status" "x-request-id");nonce="n"');
  expect(answer.headers["signature-input"]).toContain(
    'x=("cache-control" "@status" "x-request-id" "content-digest" "content-type" "@method";req "@authority";req "@path";req "@query";req)',
  );
  expect(await isGenuine(answer)).toBe(true);
});

test("the signature is worth nothing for another answer or request", async () => {
  const answer = await ask(`${WISH};nonce="n"`);
  const changed: [string, Partial<Answer>, string?][] = [
    ["status", { status: 201 }],
    ["text", { text: answer.text.replace("UTC", "utc") }],
    ["type", { headers: { ...answer.headers, "content-type": "text/plain" } }],
    ["path", {}, "/primes/7?zone=UTC"],
    ["query", {}, "/time"],
    ["authority", {}, "https://other.example/time?zone=UTC"],
  ];
  for (const [name, change, target] of changed) {
    expect(await isGenuine({ ...answer, ...change }, target), name).toBe(false);
  }
  expect(await isGenuine(answer)).toBe(true);
});

test.each([
  ["GET /time?zone=Nowhere", 400],
  ["GET /primes/x", 400],
  ["GET /nothing", 404],
  ["DELETE /time", 405],
])("a refusal is signed too: %s", async (target, status) => {
  const answer = await ask(`${WISH};nonce="n"`, target);
  expect(answer.status).toBe(status);
  expect(lastAnswer()).toBe("signed");
});

test.each([
  ["no_nonce", WISH],
  ["no_nonce", `${WISH};nonce=""`],
  ["no_nonce", `${WISH};nonce=1`],
  ["no_nonce", `${WISH};nonce`],
  ["no_nonce", `${WISH};nonce="${"n".repeat(129)}"`],
  ["not_one_wish", ""],
  ["not_one_wish", "nonsense("],
  ["not_one_wish", `${WISH};nonce="a", b=();nonce="b"`],
  ["not_one_wish", `${WISH};nonce="a";nonce="b"`],
  ["not_one_wish", `${WISH};x="${"x".repeat(9000)}"`],
  ["malformed_wish", "sig"],
  ["malformed_wish", 'sig="text"'],
  ["malformed_wish", 'sig=();nonce="n";tag=1'],
  ["malformed_wish", `sig=();nonce="n";tag="${"t".repeat(65)}"`],
  ["another_key", 'sig=();nonce="n";keyid="other"'],
  ["another_key", 'sig=();nonce="n";alg="hmac-sha256"'],
  ["another_key", 'sig=();nonce="n";alg=ed25519'],
  ["missing_component", 'sig=("x-missing");nonce="n"'],
  ["missing_component", 'sig=("@method");nonce="n"'],
  ["missing_component", 'sig=("x-missing";req);nonce="n"'],
  ["unsupported_component", 'sig=("@nonsense";req);nonce="n"'],
  ["unsupported_component", 'sig=("content-type";sf);nonce="n"'],
  ["unsupported_component", 'sig=(1);nonce="n"'],
  ["repeated_component", 'sig=("@status" "@status");nonce="n"'],
])("RFC 9421 §5.2: a wish that cannot be met is left unmet (%s): %s", async (reason, wanted) => {
  const { status, headers } = await ask(wanted);
  expect(status).toBe(200);
  expect([headers["signature"], headers["content-digest"]]).toEqual([undefined, undefined]);
  expect(lastAnswer()).toBe(reason);
});

test("nobody who did not ask gets a signature, nor does HEAD", async () => {
  expect((await api.request("GET /time", { token: api.token() })).headers["signature"]).toBe(
    undefined,
  );
  const lines = ["HEAD /time HTTP/1.1", "Host: a.example", `Accept-Signature: ${WISH};nonce="n"`];
  const raw = await api.exchange(
    `${[...lines, `Authorization: Bearer ${api.token()}`, "Connection: close"].join("\r\n")}\r\n\r\n`,
  );
  const { status, headers } = parseAnswer(raw);
  expect([status, headers["signature"]]).toEqual([200, undefined]);
});

describe.each(["Ed25519", "ES256"])("the SDK with %s", (name) => {
  const called = (server: TestResourceServer, change: (answer: Response) => Response) =>
    verifiedFetch(
      async (input, init) => {
        const headers = new Headers(init?.headers);
        headers.set("authorization", `Bearer ${server.token()}`);
        return change(
          await fetch(new URL(input instanceof Request ? input.url : input, server.url), {
            ...init,
            headers,
          }),
        );
      },
      { resource: RESOURCE, origin: server.url },
    );
  const server = (): TestResourceServer => servers.get(name) as TestResourceServer;

  test("verifies what it is answered, refusals too", async () => {
    const call = called(server(), (answer) => answer);
    const time = await call("/time?zone=UTC");
    expect(time.status).toBe(200);
    expect(await time.json()).toMatchObject({ zone: "UTC" });
    const body = '{"number":97}';
    const headers = { "content-type": "application/json" };
    const prime = await call("/primes", { method: "POST", body, headers });
    expect(await prime.json()).toMatchObject({ number: 97, prime: true });
    expect((await call("/primes/x")).status).toBe(400);
  });

  const withHeader = (answer: Response, header: string, value: string | undefined): Response => {
    const headers = new Headers(answer.headers);
    if (value === undefined) headers.delete(header);
    else headers.set(header, value);
    return new Response(answer.body, { status: answer.status, headers });
  };
  const editInput = (answer: Response, from: string | RegExp, to: string): Response => {
    const input = answer.headers.get("signature-input") ?? "";
    return withHeader(answer, "signature-input", input.replace(from, to));
  };
  const bad: [string, (answer: Response) => Response, string][] = [
    [
      "the content",
      ({ headers, status }) => new Response("{}", { headers, status }),
      "not what was signed",
    ],
    ["the status", ({ headers, body }) => new Response(body, { headers, status: 201 }), "is wrong"],
    ["the type", (answer) => withHeader(answer, "content-type", "text/html"), "is wrong"],
    [
      "the digest",
      (answer) => withHeader(answer, "content-digest", undefined),
      "not what was signed",
    ],
    ["the signature", (answer) => withHeader(answer, "signature", undefined), "is not signed"],
    ["the signature", (answer) => withHeader(answer, "signature", "answer=:AQI=:"), "is wrong"],
    ["the nonce", (answer) => editInput(answer, /nonce="../, 'nonce="zz'), "another request"],
    ["what is covered", (answer) => editInput(answer, '"@status" ', ""), "does not cover"],
    ["the key", (answer) => editInput(answer, /keyid="../, 'keyid="zz'), "is wrong"],
    [
      "the algorithm",
      (answer) => editInput(answer, /alg="[^"]*"/, 'alg="hmac-sha256"'),
      "is wrong",
    ],
  ];
  test.each(bad)("refuses when someone changes %s", async (_, change, message) => {
    await expect(called(server(), change)("/time")).rejects.toMatchObject({
      code: "answer_signature",
      message: expect.stringContaining(message),
    });
  });

  test("refuses an answer that was given to someone else", async () => {
    let earlier: Response | undefined;
    const call = called(server(), (answer) => {
      const given = earlier ?? answer.clone();
      earlier ??= answer;
      return given;
    });
    await call("/time");
    await expect(call("/time")).rejects.toThrow("another request");
  });
});
