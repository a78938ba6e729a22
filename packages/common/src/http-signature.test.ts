/** The vectors of RFC 9421 and RFC 9530 over the pure rules, and hostile fields. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import vectors from "../vectors/http-signature.json" with { type: "json" };
import { formatContentDigest, isContentDigestOf } from "./content-digest.ts";
import {
  HttpSignatureError,
  type RequestMessage,
  requestMessage,
  type ResponseMessage,
  signatureBase,
} from "./http-signature-base.ts";
import { coveredBy, inputOf, readSignatures } from "./http-signature.ts";
import {
  type InnerList,
  parseDictionary,
  serializeDictionary,
  serializeInnerList,
} from "./structured-fields.ts";

const hash = {
  sha256: (data: Uint8Array) => createHash("sha256").update(data).digest(),
  sha512: (data: Uint8Array) => createHash("sha512").update(data).digest(),
};

type Vector = { fields: Record<string, string[]>; request?: string; content?: string } & (
  | { method: string; url: string }
  | { status: number }
);
const messages = vectors.messages as unknown as Record<string, Vector>;

function messageOf(name: string): RequestMessage | ResponseMessage {
  const vector = messages[name];
  if (!vector) throw new TypeError(name);
  const fields = (field: string): string[] | undefined => vector.fields[field];
  if ("url" in vector) return requestMessage(new URL(vector.url), vector.method, fields);
  const request = vector.request && { request: messageOf(vector.request) as RequestMessage };
  return { status: vector.status, fields, ...request };
}

function inputIn(text: string): InnerList {
  const [input] = parseDictionary(text)?.values() ?? [];
  return input as InnerList;
}

test.each([...vectors.bases, ...vectors.signatures])(
  "RFC 9421 §$section: the signature base of $name",
  ({ message, signature_input: input, base }) => {
    expect(signatureBase(messageOf(message), inputIn(input))).toBe(base);
  },
);

test.each(vectors.refused)(
  "no signature base of $message with $signature_input",
  ({ message, signature_input: input, reason }) => {
    const base = (): string => signatureBase(messageOf(message), inputIn(input));
    expect(base).toThrow(new HttpSignatureError(reason));
  },
);

test.each(["", "path", "*", "/a b", "/a#b", "/a\nb", "/é", "http://example.com/"])(
  "no signature base of a request for %j",
  (target) => {
    const message = messageOf("request") as RequestMessage;
    const base = (): string => signatureBase({ ...message, target }, inputOf(["@path"], {}));
    expect(base).toThrow(new HttpSignatureError("unsupported_target"));
  },
);

test.each(vectors.signatures)("RFC 9421 §$section: $name is read", (vector) => {
  const read = readSignatures(vector.signature_input, vector.signature);
  expect(read?.map(({ label, parameters }) => [label, parameters.keyid])).toEqual([
    [vector.label, vector.key],
  ]);
});

test.each(vectors.refused_signatures)(
  "%s with %s is no signature",
  (input = "", signature = "") => {
    expect(readSignatures(input, signature)).toBeUndefined();
  },
);

/** Each of them took time in proportion to the square of what a stranger sends: more than a test has, at these sizes. */
describe("no field makes its reader slow", () => {
  const spaced = (length: number): string => `a${" ".repeat(length)}b`;

  test("spaces within a dictionary", () => {
    for (let time = 0; time < 200; time++) {
      expect(parseDictionary(spaced(8000))).toBeUndefined();
    }
  });

  test("spaces within a field that is covered", () => {
    const value = spaced(80_000);
    const message = requestMessage(new URL("https://a.example/"), "GET", () => [` ${value}\t`]);
    expect(signatureBase(message, inputOf(["x-a"], {}))).toBe(
      `"x-a": ${value}\n"@signature-params": ("x-a")`,
    );
  });

  test("many parameters of a long query", () => {
    const names = Array.from({ length: 64 }, (_, index) => `q${index}`);
    const query = `${"a&".repeat(100_000)}${names.join("=1&")}=1`;
    const message = requestMessage(new URL(`https://a.example/?${query}`), "GET", () => undefined);
    const items = names.map((name) => `"@query-param";name="${name}"`);
    const base = signatureBase(message, inputIn(`s=(${items.join(" ")})`));
    expect(base.split("\n").slice(0, -1)).toEqual(items.map((item) => `${item}: 1`));
  });
});

test("what is covered is told without components that only cover a part", () => {
  const input = inputIn('s=("@method" "@path";req "@query-param";name="a" "date";sf)');
  expect(coveredBy(input)).toEqual(new Set(["@method", "@path;req"]));
});

test("inputs are written in the order given", () => {
  const parameters = { created: 1, keyid: 'a"b', nonce: "n" };
  expect(serializeInnerList(inputOf(["@method", "content-digest;req"], parameters))).toBe(
    '("@method" "content-digest";req);created=1;keyid="a\\"b";nonce="n"',
  );
});

describe("structured fields (RFC 9651)", () => {
  test.each(vectors.structured_fields.read)("%j is read", (text = "", written) => {
    expect(
      serializeDictionary(
        parseDictionary(text) ?? new Map([["not", { value: true, parameters: new Map() }]]),
      ),
    ).toBe(written);
  });

  test.each(vectors.structured_fields.refused)("%j is refused", (text) => {
    expect(parseDictionary(text)).toBeUndefined();
  });

  test("what is too long, or has too many members, is refused", () => {
    const members = (count: number): string =>
      Array.from({ length: count }, (_, n) => `a${n}`).join(",");
    expect(parseDictionary(members(64))?.size).toBe(64);
    expect(parseDictionary(members(65))).toBeUndefined();
    expect(parseDictionary(`a=(${"1 ".repeat(65)})`)).toBeUndefined();
    expect(parseDictionary(`a${members(65).replaceAll(/^|,/g, ";")}`)).toBeUndefined();
    expect(parseDictionary(`a="${"x".repeat(8192)}"`)).toBeUndefined();
  });

  test.each([Number.NaN, 1e15, 0.5, "é", "a\nb"])("%j cannot be written", (value) => {
    const dictionary = new Map([["a", { value, parameters: new Map() }]]);
    expect(() => serializeDictionary(dictionary)).toThrow(TypeError);
  });

  test("no text makes the reader fail, and what is read is written to be read the same", () => {
    const unit = fc.constantFrom(...Array.from('ab=:;,()" \\?1*AQI=-.\t'));
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
        const read = parseDictionary(text);
        expect(read && parseDictionary(serializeDictionary(read))).toEqual(read);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("Content-Digest (RFC 9530)", () => {
  test.each(vectors.content_digests)(
    "$field of $content: $is_digest",
    async ({ content, field, is_digest: expected }) => {
      expect(await isContentDigestOf(hash, field, Buffer.from(content))).toBe(expected);
    },
  );

  test("is written with SHA-256", async () => {
    expect(await formatContentDigest(hash, Buffer.from('{"hello": "world"}'))).toBe(
      "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    );
  });
});
