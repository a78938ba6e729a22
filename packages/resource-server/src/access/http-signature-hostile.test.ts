/** Signed requests that are refused: one answer for all that a stranger must not learn, hints for the rest. */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { insufficientScope, type TestResourceServer } from "../../test/resource-server.ts";
import {
  ed25519,
  hmac,
  type SignatureDesk,
  startSignatureDesk,
  type Unsigned,
} from "../../test/signature-desk.ts";
import { createSignatureKey, signedHeaders, type TestKey } from "../../test/signature-key.ts";

const PARAMETERS =
  "The signature needs the parameters created, keyid and nonce; a tag, if it has one, is daykey.";
const COVER =
  "The signature must cover @method, @authority, @path and @query, and content-digest where there is a body.";
const TIME = "The signature is too old or dated ahead; see its created and expires, and the clock.";
const ONE = "Signature-Input and Signature must hold one signature (RFC 9421).";
const BASE = "The signature covers what the request does not have, or what is not supported.";

let desk: SignatureDesk;
let api: TestResourceServer;
let expectRefused: SignatureDesk["expectRefused"];
beforeAll(async () => {
  desk = await startSignatureDesk();
  ({ api, expectRefused } = desk);
});
afterAll(() => api.stop());

describe("one answer", () => {
  test("an unknown key, a wrong signature and another key's algorithm look the same", async () => {
    const unknown = createSignatureKey();
    await expectRefused(await desk.send({ key: unknown }), "unknown_key");
    await expectRefused(await desk.send({ key: { ...unknown, id: hmac.id } }), "wrong_signature");
    await expectRefused(
      await desk.send({ parameters: { alg: "ed25519" } }),
      "algorithm_of_another_key",
    );
    await expectRefused(
      await desk.send({ key: ed25519, parameters: { alg: "hmac-sha256" } }),
      "algorithm_of_another_key",
    );
  });

  test("a public key is no HMAC key, and HMAC's length no Ed25519 signature", async () => {
    const { x = "" } = ed25519.answer()["jwk"] as { x?: string };
    for (const secret of [x, Buffer.from(x, "base64url")]) {
      const forger: TestKey = {
        ...ed25519,
        sign: (data) => createHmac("sha256", secret).update(data).digest(),
      };
      await expectRefused(await desk.send({ key: forger }), "wrong_signature");
    }
  });

  test.each([
    ["wrong_iss", { iss: "https://other.example" }],
    ["wrong_aud", { aud: "https://other.example" }],
    ["expired", { exp: 1_795_262_400 }],
    ["unknown_key", { cred: ed25519.id }],
    ["unknown_key", { alg: "ed25519" }],
    ["unknown_key", { jwk: { kty: "oct", k: "=" } }],
  ])("a key that the auth-server describes otherwise: %s", async (reason, changed) => {
    desk.describe(changed);
    const answer = await desk.send();
    desk.describe({});
    await expectRefused(answer, reason);
  });

  test("V4: a key without the route's scope is 403", async () => {
    desk.describe({ scope: "primes:check" });
    const { status, body } = await desk.send();
    desk.describe({});
    expect([status, body]).toEqual([403, insufficientScope("time:read").body]);
  });
});

describe("what anyone can see is told", () => {
  const now = 1_795_262_400;
  test.each<[string, Unsigned, string, string]>([
    ["nothing covered", { components: [] }, "not_covered", COVER],
    ["no method", { components: ["@authority", "@path", "@query"] }, "not_covered", COVER],
    ["no authority", { components: ["@method", "@path", "@query"] }, "not_covered", COVER],
    ["no path", { components: ["@method", "@authority", "@query"] }, "not_covered", COVER],
    ["no query", { components: ["@method", "@authority", "@path"] }, "not_covered", COVER],
    ["the target alone", { components: ["@target-uri"] }, "not_covered", COVER],
    [
      "a body's digest",
      { method: "POST", target: "/primes", body: "{}", components: ["@method", "@target-uri"] },
      "not_covered",
      COVER,
    ],
    [
      "a field that is not sent",
      { components: ["@method", "@target-uri", "x-a"], fields: { "x-a": "1" } },
      "missing_component",
      BASE,
    ],
    ["created", { parameters: { created: undefined } }, "wrong_parameters", PARAMETERS],
    ["keyid", { parameters: { keyid: undefined } }, "wrong_parameters", PARAMETERS],
    [
      "a keyid of that form",
      { parameters: { keyid: "../../etc" } },
      "wrong_parameters",
      PARAMETERS,
    ],
    [
      "a keyid in lower case",
      { parameters: { keyid: hmac.id.toUpperCase() } },
      "wrong_parameters",
      PARAMETERS,
    ],
    ["nonce", { parameters: { nonce: undefined } }, "wrong_parameters", PARAMETERS],
    ["something in the nonce", { parameters: { nonce: "" } }, "wrong_parameters", PARAMETERS],
    ["a short nonce", { parameters: { nonce: "n".repeat(129) } }, "wrong_parameters", PARAMETERS],
    ["our tag", { parameters: { tag: "other" } }, "wrong_parameters", PARAMETERS],
    ["the tag of a request", { parameters: { tag: "daykey-url" } }, "wrong_parameters", PARAMETERS],
    ["a time near enough, before", { created: now - 300 }, "wrong_time", TIME],
    ["a time near enough, after", { created: now + 301 }, "wrong_time", TIME],
    ["a time after all", { created: 0 }, "wrong_time", TIME],
    ["an end to come", { parameters: { expires: now } }, "wrong_time", TIME],
  ])("without %s", async (_, unsigned, reason, hint) => {
    await expectRefused(await desk.send(unsigned), reason, hint);
  });

  test.each<[string, Record<string, string>]>([
    [
      "two signatures",
      { "signature-input": 'a=();keyid="x", b=()', signature: "a=:AQI=:, b=:AQI=:" },
    ],
    ["a signature twice", { "signature-input": "a=(), a=()", signature: "a=:AQI=:, a=:AQI=:" }],
    ["other labels", { "signature-input": "a=()", signature: "b=:AQI=:" }],
    ["no structured field", { "signature-input": "nonsense(", signature: "a=:AQI=:" }],
    ["text for bytes", { "signature-input": "a=()", signature: 'a="AQI="' }],
    ["the article's form", { "signature-input": "a=()", signature: "AQI=" }],
    ["nothing", { "signature-input": "", signature: "" }],
    ["too much", { "signature-input": `a=(${'"@method" '.repeat(70)})`, signature: "a=:AQI=:" }],
    ["9 kB", { "signature-input": `a=();x="${"x".repeat(9000)}"`, signature: "a=:AQI=:" }],
    ["a text for a time", { "signature-input": 'a=();created="1"', signature: "a=:AQI=:" }],
  ])("%s", async (_, headers) => {
    await expectRefused(await api.request("GET /time", { headers }), "malformed_signature", ONE);
  });

  test("Signature-Input alone", async () => {
    const { signature: _, ...headers } = await signedHeaders({ key: hmac, created: now });
    await expectRefused(await api.request("GET /time", { headers }), "malformed_signature", ONE);
  });
});
