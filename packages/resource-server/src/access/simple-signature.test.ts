/** The simple form, as Flask-HMAC's clients send it (docs/protocol.md §5.6). */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Answer,
  malformed,
  NO_CREDENTIAL,
  refusalOf,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";
import { createSignatureKey, invalidSignature } from "../../test/signature-key.ts";

const HINT =
  "Signature is base64 of the HMAC-SHA-256 of the body, or of a key id, a colon and that.";
const key = createSignatureKey("hmac-sha256");
const other = createSignatureKey("hmac-sha256");
const ed25519 = createSignatureKey("ed25519");

let api: TestResourceServer;
beforeAll(async () => {
  api = await startResourceServer({ config: { simpleSignatures: { defaultKeyId: key.id } } });
  api.authServer.answerKeys((id) => [key, other, ed25519].find((one) => one.id === id)?.answer());
});
afterAll(() => api.stop());

/** `make_hmac(data)` of the article: the key is text. */
const makeHmac = (data = "", { file } = key): string =>
  createHmac("sha256", file.secret ?? "")
    .update(data)
    .digest("base64");
/** `make_hmac_for(name, data)`. */
const makeHmacFor = (one: typeof key, data = ""): string =>
  Buffer.from(`${one.id}:${makeHmac(data, one)}`).toString("base64");

const get = (signature: string): Promise<Answer> =>
  api.request("GET /time", { headers: { Signature: signature } });
const post = (signature: string, body: string): Promise<Answer> => {
  const headers = { Signature: signature, "content-type": "application/json" };
  return api.request("POST /primes", { headers, body });
};

test("a signature of the body, by the key of the setting or one that it names", async () => {
  expect((await get(makeHmac())).status).toBe(200);
  expect((await get(makeHmacFor(other))).status).toBe(200);
  expect((await post(makeHmac('{"number":97}'), '{"number":97}')).body).toMatchObject({
    prime: true,
  });
  expect((await post(makeHmacFor(other, '{"number":97}'), '{"number":97}')).status).toBe(200);
  expect(api.lines.findLast(({ msg }) => msg === "request")).toMatchObject({
    via: "simple_signature",
    kid: other.id,
  });
});

test.each<[string, () => string, string?]>([
  ["another body's", () => makeHmac("{}")],
  ["another key's", () => makeHmac("", other)],
  [
    "by a name that is another's",
    () => Buffer.from(`${other.id}:${makeHmac()}`).toString("base64"),
  ],
  ["of an unknown key", () => makeHmacFor(createSignatureKey())],
  ["of a key pair", () => Buffer.from(`${ed25519.id}:${makeHmac()}`).toString("base64")],
  ["hex", () => Buffer.from(makeHmac(), "base64").toString("hex"), HINT],
  ["short", () => makeHmac().slice(4), HINT],
  ["without padding", () => makeHmac().slice(0, -1), HINT],
  ["twice", () => `${makeHmac()}, ${makeHmac()}`, HINT],
  ["a structured field", () => `sig=:${makeHmac()}:`, HINT],
  ["with another name", () => Buffer.from(`../..:${makeHmac()}`).toString("base64"), HINT],
  ["empty", () => "", HINT],
])("a signature that is %s is refused", async (_, make, hint) => {
  expect(refusalOf(await get(make()))).toEqual(invalidSignature(hint));
});

test("V8: beside another credential it is 400", async () => {
  const headers = { Signature: makeHmac() };
  const answer = await api.request("GET /time", { token: api.token(), headers });
  expect(refusalOf(answer)).toEqual(malformed("Use exactly one credential."));
});

test("a body over 64 KiB is not read", async () => {
  const body = " ".repeat(65_537);
  expect((await post(makeHmac(body), body)).status).toBe(413);
});

test("without the setting it is no credential, and without a key of the setting it must name one", async () => {
  const off = await startResourceServer();
  const headers = { Signature: makeHmac() };
  expect(refusalOf(await off.request("GET /time", { headers }))).toEqual(NO_CREDENTIAL);
  await off.stop();
  const nameless = await startResourceServer({
    config: { simpleSignatures: { defaultKeyId: undefined } },
  });
  nameless.authServer.answerKeys(() => key.answer());
  expect((await nameless.request("GET /time", { headers })).status).toBe(401);
  const named = { Signature: makeHmacFor(key) };
  expect((await nameless.request("GET /time", { headers: named })).status).toBe(200);
  await nameless.stop();
});
