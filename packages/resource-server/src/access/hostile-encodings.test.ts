/** Hostile tokens that two readers might read differently, or one not survive: encoding and JSON. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodePart, signatureOf, signParts } from "../../test/issuer.ts";
import {
  expectRefused,
  INVALID_TOKEN,
  malformed,
  parseAnswer,
  refusalOf,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

let api: TestResourceServer;
beforeAll(async () => {
  api = await startResourceServer();
});
afterAll(() => api.stop());

async function send(authorization: string) {
  const head = "GET /time HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n";
  return parseAnswer(await api.exchange(`${head}Authorization: ${authorization}\r\n\r\n`));
}

describe("the form (RFC 7515 §7.1)", () => {
  test("too few parts, too many, or empty ones", async () => {
    const [header = "", payload = "", signature = ""] = api.token().split(".");
    const forms = [
      "x",
      ".",
      "..",
      "...",
      "....",
      header,
      `${header}.${payload}`,
      `${header}..${signature}`,
      `.${payload}.${signature}`,
      `${header}.${payload}.`,
      `.${header}.${payload}.${signature}`,
      `${header}.${payload}.${signature}.`,
      `${header}.${payload}.${signature}.${signature}`,
      `${header}.${payload}..${signature}`,
      // The five parts of a JWE (RFC 7516 §7.1), which nothing here decrypts.
      `${header}.AA.AA.${payload}.${signature}`,
      `${header}....`,
      `${encodePart({ alg: "dir", enc: "A256GCM", kid: api.key.kid })}..AA.${payload}.AA`,
    ];
    for (const form of forms) await expectRefused(api, form, "malformed", form);
  });

  test("the JSON serializations, plain or encoded", async () => {
    const [header, payload, signature] = api.token().split(".");
    const flattened = JSON.stringify({ protected: header, payload, signature });
    expect(refusalOf(await send(`Bearer ${flattened}`))).toEqual(
      malformed("The Authorization header is not of the form Bearer <token>."),
    );
    await expectRefused(api, encodePart(flattened), "malformed");
  });

  test("a token has one spelling: no stray bits, padding or other alphabet", async () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // Claims whose encodings have one and two characters more than a multiple of four.
    for (const jti of ["a", "ab", "abc"]) {
      const token = api.token({ claims: { jti } });
      const parts = token.split(".");
      for (const [index, part] of parts.entries()) {
        const others = [`${part}=`, `${part}==`, `${part}A`, `${part}A=`, `=${part}`];
        const last = alphabet.indexOf(part.at(-1) ?? "");
        if (part.length % 4 !== 0) {
          const bits = part.length % 4 === 2 ? 4 : 2;
          for (let stray = 1; stray < 2 ** bits; stray += 1) {
            others.push(part.slice(0, -1) + alphabet[(last & ~(2 ** bits - 1)) + stray]);
          }
        }
        for (const other of others) {
          const changed = parts.with(index, other).join(".");
          const { status, headers } = await api.time(changed);
          // An equals sign within a token is no b64token (RFC 6750 §2.1).
          expect([400, 401], changed).toContain(status);
          expect(headers["www-authenticate"]).toMatch(/error="invalid_(request|token)"/);
        }
      }
    }
    const padded = `${api.token()}=`;
    await expectRefused(api, padded, "malformed");
  });

  test("the standard alphabet is not base64url", async () => {
    for (const jti of ["???", "x???", "xx???", ">>>", "x>>>", "xx>>>"]) {
      const token = api.token({ claims: { jti: jti.repeat(4) } });
      const standard = token.replaceAll("-", "+").replaceAll("_", "/");
      expect(standard).not.toBe(token);
      await expectRefused(api, standard, "malformed", standard);
    }
  });

  test("white space and other characters in a token make no token (RFC 6750 §2.1)", async () => {
    const [header, payload, signature] = api.token().split(".");
    for (const between of [". ", " .", ".\t", ".\xa0", ".\xad", "\xb7", "%2E", ",", ".\x85"]) {
      const answer = await send(`Bearer ${header}${between}${payload}.${signature}`);
      expect(refusalOf(answer), JSON.stringify(between)).toEqual(
        malformed("The Authorization header is not of the form Bearer <token>."),
      );
    }
    for (const between of [".\0", ".\r", ".\n", ".\r\n", ".\x01"]) {
      const answer = await send(`Bearer ${header}${between}${payload}.${signature}`);
      expect(answer.status, JSON.stringify(between)).toBe(400);
    }
  });

  test("a token in UTF-8, UTF-16 or full width", async () => {
    const token = api.token();
    const wide = token.replaceAll(/./g, (sign) =>
      String.fromCodePoint(sign.charCodeAt(0) + 0xfee0),
    );
    const forms = [wide, `\ufeff${token}`, `${token}\u200b`, token.replaceAll("a", "а")];
    for (const form of forms) {
      const bytes = Buffer.from(form).toString("latin1");
      expect((await send(`Bearer ${bytes}`)).status).toBe(400);
    }
    const utf16 = Buffer.from(token, "utf16le").toString("latin1");
    expect((await send(`Bearer ${utf16}`)).status).toBe(400);
  });
});

describe("the size", () => {
  /** A valid token of exactly this length. */
  function tokenOf(length: number): string {
    for (let filling = Math.floor(length * 0.6); ; filling += 1) {
      const token = api.token({ claims: { jti: "j".repeat(filling) } });
      if (token.length === length) return token;
      if (token.length > length) throw new Error("no token has this length");
    }
  }

  test("8,192 characters are read, more are not", async () => {
    expect((await api.time(tokenOf(8192))).status).toBe(200);
    await expectRefused(api, tokenOf(8194), "malformed");
  });

  test("the largest that fits into Node's headers is refused as any other", async () => {
    await expectRefused(api, tokenOf(16_000), "malformed");
    await expectRefused(
      api,
      `${"a".repeat(8000)}.${"a".repeat(4000)}.${"a".repeat(4000)}`,
      "malformed",
    );
    await expectRefused(api, ".".repeat(16_000), "malformed");
    await expectRefused(api, `${"a.".repeat(4090)}a`, "malformed");
  });

  test("H9: one that does not fit is 431; of 1 MB the rest is not even read", async () => {
    const request = (length: number): string =>
      `GET /time HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer ${"a".repeat(length)}\r\n\r\n`;
    const answer = parseAnswer(await api.exchange(request(20_000)));
    expect(answer).toMatchObject({ status: 431, text: "", headers: { connection: "close" } });
    // The connection is closed while its client still sends, who may then not see the answer.
    expect(await api.exchange(request(2 ** 20))).toMatch(/^(HTTP\/1.1 431 |$)/);
  });
});

describe("the JSON of header and claims", () => {
  const deep = (depth: number): string => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}`;

  /** Whole texts, each in place of an object. */
  const NO_OBJECTS: readonly (string | Buffer)[] = [
    " ",
    "null",
    "true",
    "0",
    '"text"',
    "[]",
    "[{}]",
    "{",
    "}",
    "{}{}",
    "{} x",
    "{}\0",
    "\0{}",
    "{'a':1}",
    "{a:1}",
    '{"a":1,}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":-}',
    '{"a":01}',
    '{"a":0x10}',
    '{"a":undefined}',
    '{"a":"\t"}',
    '{"a":"\\ud800"}',
    '{"a":"\\x41"}',
    '{/**/"a":1}',
    "\ufeff{}",
    `${deep(2500)}}`,
    "[".repeat(5000),
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
    Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
    Buffer.from("{}", "utf16le"),
    Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
  ];

  test("a header that is no JSON object", async () => {
    for (const header of NO_OBJECTS) {
      const token = signParts(api.key, header, api.claims());
      await expectRefused(api, token, "malformed_header", String(header).slice(0, 40));
    }
  });

  test("claims that are no JSON object, their signature genuine", async () => {
    for (const payload of NO_OBJECTS) {
      const answer = await api.time(signParts(api.key, api.header(), payload));
      expect(refusalOf(answer), String(payload).slice(0, 40)).toEqual(INVALID_TOKEN);
    }
  });

  /** A valid object's text with this member before or after the others. */
  const around = (object: object, member: string): string[] => {
    const text = JSON.stringify(object);
    return [`{${member},${text.slice(1)}`, `${text.slice(0, -1)},${member}}`];
  };

  test("a header with a name twice (RFC 7515 §4), whichever of the two is ours", async () => {
    const members = [
      '"alg":"none"',
      '"alg":"ES256"',
      '"typ":"JWT"',
      '"kid":"x"',
      '"k\\u0069d":"x"',
      `"kid":"${api.key.kid}"`,
    ];
    for (const member of members) {
      for (const header of around(api.header(), member)) {
        const token = signParts(api.key, header, api.claims());
        await expectRefused(api, token, "malformed_header", header);
      }
    }
  });

  test("claims with a name twice (RFC 7519 §4), whichever of the two is ours", async () => {
    const members = [
      '"scope":"time:read"',
      '"client_id":"x"',
      '"\\u0061ud":"x"',
      '"exp":1',
      '"ep":0',
    ];
    for (const member of members) {
      for (const payload of around(api.claims(), member)) {
        const answer = await api.time(signParts(api.key, api.header(), payload));
        expect(refusalOf(answer), payload).toEqual(INVALID_TOKEN);
      }
    }
  });

  test("H6: nested deeper than eight", async () => {
    for (const depth of [8, 100, 2000]) {
      const nested = deep(depth).slice(1);
      for (const text of around(api.header(), nested)) {
        await expectRefused(api, signParts(api.key, text, api.claims()), "malformed_header");
      }
      for (const text of around(api.claims(), nested)) {
        await expectRefused(api, signParts(api.key, api.header(), text), "malformed_claims");
      }
    }
    const shallow = deep(7).slice(1);
    for (const text of around(api.claims(), shallow)) {
      expect((await api.time(signParts(api.key, api.header(), text))).status).toBe(200);
    }
  });

  test("names of an object's prototype are names like any other", async () => {
    for (const member of ['"__proto__":{"alg":"none"}', '"constructor":null', '"toString":1']) {
      for (const text of around(api.header(), member)) {
        expect((await api.time(signParts(api.key, text, api.claims()))).status).toBe(200);
      }
    }
    const { client_id: _clientId, ...rest } = api.claims();
    const inherited = around(rest, '"__proto__":{"client_id":"x"}');
    for (const text of inherited) {
      await expectRefused(api, signParts(api.key, api.header(), text), "wrong_claims");
    }
    const { kid: _kid, ...header } = api.header();
    for (const text of around(header, `"__proto__":{"kid":"${api.key.kid}"}`)) {
      await expectRefused(api, signParts(api.key, text, api.claims()), "no_kid");
    }
  });

  test.each([
    { crit: ["exp"] },
    { crit: [] },
    { crit: null },
    { crit: "b64" },
    { crit: ["b64"], b64: true },
    { crit: ["b64"], b64: false },
    { crit: ["kid"] },
    { crit: ["x"], x: 1 },
    { b64: false },
    { b64: true },
    { b64: null },
  ])("an extension is not supported, its signature genuine: %j", (header) =>
    expectRefused(api, api.token({ header }), "unsupported_extension"),
  );

  test("b64 false with a payload as it is (RFC 7797), its signature genuine", async () => {
    const header = encodePart(api.header({ crit: ["b64"], b64: false }));
    for (const payload of [
      "bare",
      encodePart(api.claims()),
      encodePart(encodePart(api.claims())),
    ]) {
      const signature = signatureOf(api.key, `${header}.${payload}`).toString("base64url");
      await expectRefused(api, `${header}.${payload}.${signature}`, "unsupported_extension");
    }
  });
});
