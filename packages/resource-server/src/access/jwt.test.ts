import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createSigningKey, signParts } from "../../test/issuer.ts";
import {
  CLIENT,
  expectRefused,
  ISSUER,
  RESOURCE,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

let api: TestResourceServer;
beforeAll(async () => {
  api = await startResourceServer({ config: { tokenCacheSize: 3 } });
});
afterAll(() => api.stop());
afterEach(() => vi.restoreAllMocks());

const served = async (token: string) => (await api.time(token)).status === 200;

test("a token with every claim of RFC 9068 §2.2 is served", async () => {
  expect(await served(api.token())).toBe(true);
});

describe("V1: the audience is this resource, exactly, as one string (RFC 9068 §4)", () => {
  test.each([
    `${RESOURCE}/`,
    `${RESOURCE}:443`,
    RESOURCE.toUpperCase(),
    `${RESOURCE} `,
    `${RESOURCE}.evil.example`,
    RESOURCE.replace("https", "http"),
    RESOURCE.slice(0, -1),
    "api.example.test",
    ISSUER,
    CLIENT,
    "*",
    "",
  ])("refused: %j", (aud) => expectRefused(api, api.token({ claims: { aud } }), "wrong_aud"));

  test("refused: a control character in it is in no JSON of ours", () =>
    expectRefused(api, api.token({ claims: { aud: `${RESOURCE}\0` } }), "malformed_claims"));

  test.each([[[RESOURCE]], [[RESOURCE, "https://other.example"]]])("a list is refused: %j", (aud) =>
    expectRefused(api, api.token({ claims: { aud } }), "wrong_claims"),
  );

  test.each([[[]], [["https://other.example"]], [{ [RESOURCE]: true }], [null], [true], [1]])(
    "refused: %j",
    (aud) => expectRefused(api, api.token({ claims: { aud } }), "wrong_aud"),
  );
});

test.each([
  [`${ISSUER}/`],
  [ISSUER.toUpperCase()],
  [`${ISSUER} `],
  [ISSUER.replace("https", "http")],
  [`${ISSUER}.evil.example`],
  [RESOURCE],
  [""],
  [[ISSUER]],
  [[ISSUER, "https://evil.example"]],
  [{ toString: ISSUER }],
  [null],
])("V1: the issuer is the configured one, exactly: %j is refused", async (iss) => {
  await expectRefused(api, api.token({ claims: { iss } }), "wrong_iss");
});

describe("V3: the type", () => {
  // RFC 9068 §4 accepts both spellings; a media type's case has no meaning (RFC 7515 §4.1.9).
  test.each(["at+jwt", "application/at+jwt", "AT+JWT", "Application/AT+jwt"])(
    "%s is served",
    async (typ) => {
      expect(await served(api.token({ header: { typ } }))).toBe(true);
    },
  );

  test.each([
    [undefined],
    ["JWT"],
    ["jwt"],
    ["application/jwt"],
    ["rt+jwt"],
    ["dpop+jwt"],
    ["client-authentication+jwt"],
    ["token-introspection+jwt"],
    ["secevent+jwt"],
    ["logout+jwt"],
    ["at"],
    ["at+jwt "],
    ["at+jwt;charset=utf-8"],
    ["text/at+jwt"],
    ["application/application/at+jwt"],
    ["application/"],
    ["/at+jwt"],
    [""],
    [null],
    [["at+jwt"]],
    [{ typ: "at+jwt" }],
    [1],
  ])("%j is refused", (typ) => expectRefused(api, api.token({ header: { typ } }), "wrong_typ"));

  test.each([
    ["dkr1.k3f9a1c2.AQAAAA.c2VhbA", "malformed"],
    ["dkr1.k3f9a1c2.c2VhbA", "malformed_header"],
    ["dka1.k3f9a1c2.", "malformed"],
    [`dks_k3f9a1c2_${"10".repeat(21)}0_0k1H3W`, "malformed"],
    ["c7".repeat(32), "malformed"],
  ])("what is no JWT at all is refused: %s", (token, reason) => expectRefused(api, token, reason));
});

describe("claims (RFC 9068 §2.2)", () => {
  const text = ["sub", "client_id", "jti", "scope", "gid", "cred"];

  test.each([...text, "ep"])("without %s it is refused", (name) =>
    expectRefused(api, api.token({ claims: { [name]: undefined } }), "wrong_claims"),
  );

  test.each(["iss", "aud", "exp", "iat"])("without %s it is refused", (name) =>
    expectRefused(api, api.token({ claims: { [name]: undefined } }), `wrong_${name}`),
  );

  test.each(text)("%s of another type is refused", async (name) => {
    for (const value of [null, 1, true, ["a"], { a: "a" }, ["time:read"]]) {
      await expectRefused(api, api.token({ claims: { [name]: value } }), "wrong_claims");
    }
  });

  test("the epoch is a whole number, not negative", async () => {
    for (const ep of [null, "0", -1, 0.5, 2 ** 53, [0], true]) {
      await expectRefused(api, api.token({ claims: { ep } }), "wrong_claims");
    }
  });

  test.each(["exp", "iat"])("%s of another type is refused", async (name) => {
    const value = api.now() + 600;
    for (const wrong of [null, String(value), [value], { value }, true, "1e99", ""]) {
      await expectRefused(api, api.token({ claims: { [name]: wrong } }), `wrong_${name}`);
    }
  });

  test.each([
    ["exp", 1_795_262_700.5],
    ["iat", 1_795_262_300.5],
    ["exp", 2 ** 53],
    ["exp", 1e300],
    ["iat", -1],
  ])("%s = %d is no time of ours", (name, value) =>
    expectRefused(api, api.token({ claims: { [name]: value } }), "wrong_claims"),
  );

  test.each([
    ["1e999", "wrong_claims"],
    ["1e99999", "malformed_claims"],
    ["99999999999999999999999999", "wrong_claims"],
  ])("exp = %s is no time of ours", (exp, reason) => {
    const payload = JSON.stringify(api.claims({ exp: 0 })).replace('"exp":0', `"exp":${exp}`);
    return expectRefused(api, signParts(api.key, api.header(), payload), reason);
  });

  test("a claim that is not known changes nothing (RFC 7519 §4)", async () => {
    const claims = { roles: ["admin"], act: { sub: "x" }, nested: { scope: "x" } };
    expect(await served(api.token({ claims }))).toBe(true);
  });
});

describe("times", () => {
  test("a token is good until exp and refused from then on, remembered or not", async () => {
    const [used, unused] = [api.token(), api.token()];
    expect(await served(used)).toBe(true);
    api.advance(599.5);
    expect(await served(used)).toBe(true);
    const exp = Math.ceil(api.now());
    expect(await served(api.token({ claims: { iat: exp - 600, exp } }))).toBe(true);
    api.advance(0.5);
    await expectRefused(api, used, "expired");
    await expectRefused(api, unused, "expired");
    api.advance(86_400);
    await expectRefused(api, used, "expired");
  });

  test.each([0, -1, -1_795_262_400])("exp %i seconds from now is refused", async (seconds) => {
    const exp = api.now() + seconds;
    await expectRefused(api, api.token({ claims: { iat: 0, exp } }), "expired");
  });

  test("nbf is obeyed, and what came too early is not refused for ever", async () => {
    const token = api.token({ claims: { nbf: api.now() + 60 } });
    await expectRefused(api, token, "wrong_nbf");
    api.advance(60);
    expect(await served(token)).toBe(true);
    await expectRefused(api, api.token({ claims: { nbf: "0" } }), "wrong_nbf");
  });

  test("exp − iat above the longest life is refused: revocations are kept only so long", async () => {
    const iat = api.now();
    expect(await served(api.token({ claims: { iat, exp: iat + 3600 } }))).toBe(true);
    await expectRefused(api, api.token({ claims: { iat, exp: iat + 3601 } }), "lives_too_long");
    await expectRefused(
      api,
      api.token({ claims: { iat: iat - 3000, exp: iat + 601 } }),
      "lives_too_long",
    );
    const forever = Number.MAX_SAFE_INTEGER;
    await expectRefused(api, api.token({ claims: { exp: forever } }), "lives_too_long");
  });

  test("nor does an iat ahead stretch that life beyond the clocks' tolerance", async () => {
    const now = api.now();
    expect(await served(api.token({ claims: { iat: now + 300, exp: now + 3900 } }))).toBe(true);
    for (const iat of [now + 301, now + 86_400, Number.MAX_SAFE_INTEGER]) {
      await expectRefused(api, api.token({ claims: { iat, exp: iat } }), "issued_in_the_future");
    }
  });
});

describe("the cache of verified tokens", () => {
  /** How many signatures are verified from here on. */
  const countVerifications = () => vi.spyOn(crypto.subtle, "verify").mock.calls;

  test("a token used again has no signature verified", async () => {
    const verified = countVerifications();
    const [one, other] = [api.token(), api.token()];
    for (const token of [one, one, other, one, other]) expect(await served(token)).toBe(true);
    expect(verified).toHaveLength(2);
  });

  test("it is bounded: the token not used for longest is verified anew", async () => {
    const tokens = Array.from({ length: 4 }, () => api.token());
    for (const token of tokens) await api.time(token);
    const verified = countVerifications();
    for (const token of tokens.toReversed().slice(0, 3)) await api.time(token);
    expect(verified).toHaveLength(0);
    await api.time(tokens[0] ?? "");
    expect(verified).toHaveLength(1);
  });

  test("a remembered token keeps its own scope and client", async () => {
    const narrow = api.token({ claims: { scope: "time:read", client_id: "narrow" } });
    for (const status of [200, 403]) {
      const target = status === 200 ? "GET /time" : "GET /primes/97";
      expect((await api.request(target, { token: narrow })).status).toBe(status);
      expect(api.lines.at(-1)).toMatchObject({ client: "narrow" });
    }
  });

  test("a failure is not remembered", async () => {
    const forged = signParts(
      { ...createSigningKey(), kid: api.key.kid },
      api.header(),
      api.claims(),
    );
    const verified = countVerifications();
    for (const times of [1, 2, 3]) {
      expect((await api.time(forged)).status).toBe(401);
      expect(verified).toHaveLength(times);
    }
  });

  test("a remembered token does not vouch for one that differs in a single character", async () => {
    const token = api.token();
    await api.time(token);
    for (const offset of [0, 10, token.indexOf(".") + 5, token.length - 20, token.length - 1]) {
      const changed = token[offset] === "A" ? "B" : "A";
      const other = token.slice(0, offset) + changed + token.slice(offset + 1);
      expect(await served(other), String(offset)).toBe(false);
    }
    expect(await served(token)).toBe(true);
  });
});
