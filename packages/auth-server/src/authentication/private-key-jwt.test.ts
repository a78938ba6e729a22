/** `private_key_jwt` (RFC 7521, RFC 7523, RFC 10070): what an assertion must say. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ASSERTION_TYPE,
  assertionOf,
  createKey,
  answerTo,
  createKeyClient,
  type Members,
  present,
  type TestKey,
  REFUSED,
  TOKEN,
} from "../../test/assertions.ts";
import { ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let clientId: string;
let key: TestKey;
beforeAll(async () => {
  server = await startAuthServer();
  ({ clientId, key } = await createKeyClient(server));
});
afterAll(() => server.stop());

function assertion(changes: { header?: Members; claims?: Members } = {}): string {
  return assertionOf(clientId, key, server.now(), changes);
}

describe("C9: the audience is the issuer and nothing else", () => {
  const ENDPOINT = "assertion_audience_endpoint";
  test.each([
    ["a list with others", [ISSUER, "https://other.example.test"]],
    ["a list of it twice", [ISSUER, ISSUER]],
    ["a list in a list", [[ISSUER]]],
    ["an empty list", []],
    ["the token endpoint", `${ISSUER}/oauth2/token`, ENDPOINT],
    ["a list of the token endpoint", [`${ISSUER}/oauth2/token`], ENDPOINT],
    ["the issuer beside the token endpoint", [ISSUER, `${ISSUER}/oauth2/token`], ENDPOINT],
    ["the introspection endpoint", `${ISSUER}/oauth2/introspect`, ENDPOINT],
    ["the revocation endpoint", `${ISSUER}/oauth2/revoke`, ENDPOINT],
    ["a slash more", `${ISSUER}/`],
    ["upper case", ISSUER.toUpperCase()],
    ["another issuer", "https://other.example.test"],
    ["an empty string", ""],
    ["no string", 1],
    ["null", null],
    ["an object", { [ISSUER]: ISSUER }],
    ["absent", undefined],
  ])("%s", async (_name, aud, reason = "assertion_audience") => {
    expect(await answerTo(server, assertion({ claims: { aud } }))).toEqual(REFUSED);
    expect(server.lines.at(-1)).toMatchObject({ reason });
    expect(await answerTo(server, assertion())).toEqual(TOKEN);
  });

  test("a list of the issuer alone is the issuer (RFC 7519 §4.1.3)", async () => {
    expect(await answerTo(server, assertion({ claims: { aud: [ISSUER] } }))).toEqual(TOKEN);
  });
});

describe("C10: of now", () => {
  const SKEW = {
    status: 401,
    body: {
      error: "invalid_client",
      error_description: expect.stringMatching(
        /^The assertion's times are too far from now: the server's time is \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.$/,
      ),
    },
  };
  test.each([
    ["iat 8 s ahead", { iat: 8 }, TOKEN],
    ["nbf 8 s ahead", { nbf: 8 }, TOKEN],
    ["without iat", { iat: undefined }, TOKEN],
    ["iat an hour ago", { iat: -3600 }, TOKEN],
    ["exp 8 s ago", { exp: -8 }, TOKEN],
    ["exp in an hour", { exp: 3600 }, TOKEN],
    ["iat 61 s ahead", { iat: 61 }, SKEW],
    ["nbf 61 s ahead", { nbf: 61 }, SKEW],
    ["exp 61 s ago", { exp: -61 }, SKEW],
    ["exp 5 min ago", { exp: -300 }, SKEW],
    ["exp in an hour and a minute", { exp: 3660 }, SKEW],
    ["exp in a year", { exp: 31_536_000 }, SKEW],
  ])("%s", async (_name, times, expected) => {
    const now = Math.floor(server.now());
    const claims = Object.fromEntries(
      Object.entries(times).map(([name, seconds]) => [name, seconds && now + seconds]),
    );
    expect(await answerTo(server, assertion({ claims }))).toEqual(expected);
  });

  test("who has not the key learns no time", async () => {
    const stranger = { ...createKey("x"), kid: key.kid };
    const claims = { exp: Math.floor(server.now()) - 3600 };
    expect(
      await answerTo(server, assertionOf(clientId, stranger, server.now(), { claims })),
    ).toEqual(REFUSED);
  });

  test("what is no time, or missing", async () => {
    const bad = [
      undefined,
      null,
      "1",
      String(Math.floor(server.now()) + 60),
      true,
      [1],
      {},
      -1,
      1e300,
    ];
    for (const exp of bad)
      expect(await answerTo(server, assertion({ claims: { exp } }))).toEqual(REFUSED);
    for (const name of ["iat", "nbf"]) {
      for (const value of bad.slice(1)) {
        expect(await answerTo(server, assertion({ claims: { [name]: value } }))).toEqual(REFUSED);
      }
    }
  });
});

describe("typ says what it is (RFC 10070, RFC 8725 §3.11)", () => {
  // A media type has one meaning in any case, with `application/` or without (RFC 7515 §4.1.9).
  const untyped = [undefined, "JWT", "jwt", "application/jwt"];
  const never = ["at+jwt", "", null, 1, ["JWT"], "text/jwt", "application/", "JWT ", "JWT;x=y"];
  const required = "client-authentication+jwt";
  const requiredToo = ["client-authentication+JWT", "application/client-authentication+jwt"];

  test("by default it may be absent, or JWT, as stock libraries send it", async () => {
    for (const typ of [...untyped, required, ...requiredToo]) {
      expect(await answerTo(server, assertion({ header: { typ } })), String(typ)).toEqual(TOKEN);
    }
  });

  test("any other is refused", async () => {
    for (const typ of never) {
      expect(await answerTo(server, assertion({ header: { typ } })), String(typ)).toEqual(REFUSED);
      expect(server.lines.at(-1)).toMatchObject({ reason: "assertion_typ" });
    }
  });

  test("a client that is registered to need it is refused without, at every endpoint", async () => {
    const strict = await createKeyClient(server, { requireAssertionTyp: true });
    const of = (typ: unknown): string =>
      assertionOf(strict.clientId, strict.key, server.now(), { header: { typ } });
    for (const path of ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"]) {
      const ask = async (typ: unknown): Promise<number> => {
        const form = { grant_type: "client_credentials", token: "x", client_assertion: of(typ) };
        const { status } = await server.post(path, {
          ...form,
          client_assertion_type: ASSERTION_TYPE,
        });
        return status;
      };
      for (const typ of [required, ...requiredToo]) expect(await ask(typ), path).toBe(200);
      for (const typ of untyped) {
        expect(await ask(typ), path).toBe(401);
        expect(server.lines.at(-1)).toMatchObject({ reason: "assertion_untyped" });
      }
    }
    expect(await answerTo(server, of("JWT"))).toEqual(REFUSED);
  });

  test("the server's own access token is no assertion", async () => {
    const { body } = await present(server, assertion());
    expect(await answerTo(server, String(body["access_token"]))).toEqual(REFUSED);
  });
});

describe("iss and sub are the client, jti is given (RFC 7523 §3)", () => {
  test("hostile values", async () => {
    for (const value of ["another", "", null, undefined, 1, [clientId], clientId.toUpperCase()]) {
      expect(await answerTo(server, assertion({ claims: { iss: value } }))).toEqual(REFUSED);
      const claims = { sub: value };
      expect(await answerTo(server, assertion({ claims }))).toEqual(REFUSED);
    }
    for (const jti of [
      undefined,
      null,
      "",
      1,
      ["a"],
      "x".repeat(129),
      "a b",
      "a\u0000",
      "é",
      "a\n",
    ]) {
      expect(await answerTo(server, assertion({ claims: { jti } })), String(jti)).toEqual(REFUSED);
    }
    const claims = { jti: `${randomUUID()}${"x".repeat(92)}` };
    expect(await answerTo(server, assertion({ claims }))).toEqual(TOKEN);
  });
});

describe("C2: client_id beside an assertion", () => {
  test("may be absent or agree, else 400", async () => {
    expect(await answerTo(server, assertion(), {})).toEqual(TOKEN);
    expect(await answerTo(server, assertion(), { client_id: clientId })).toEqual(TOKEN);
    expect(await answerTo(server, assertion(), { client_id: "another" })).toEqual({
      status: 400,
      body: {
        error: "invalid_request",
        error_description: "The client_id differs from the assertion's.",
      },
    });
  });

  test("client_assertion_type must say that it is one", async () => {
    for (const type of ["", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "jwt"]) {
      const form = { client_assertion_type: type };
      expect(await answerTo(server, assertion(), form)).toEqual(REFUSED);
    }
  });
});
