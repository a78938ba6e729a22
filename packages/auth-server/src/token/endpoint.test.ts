/** `POST /oauth2/token` itself: what it takes, what it refuses, in which order. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";

const FORM = "application/x-www-form-urlencoded";
const ISSUED = {
  access_token: expect.any(String),
  token_type: "Bearer",
  expires_in: 600,
  scope: "time:read primes:check",
};

let server: TestAuthServer;
let client: TestClient;
/** A good request's body, as text. */
let good: string;
beforeAll(async () => {
  server = await startAuthServer();
  client = await server.createClient({ grantTypes: ["client_credentials"] });
});
beforeEach(async () => {
  good = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: client.clientId,
    client_secret_hash: await server.dayForm(client),
  }).toString();
});
afterAll(() => server.stop());

interface Seen {
  status: number;
  body: unknown;
  headers: Headers;
}

async function send(
  body: string | Uint8Array<ArrayBuffer>,
  { type = FORM, path = "/oauth2/token" }: { type?: string; path?: string } = {},
): Promise<Seen> {
  const headers = type === "" ? {} : { "Content-Type": type };
  // A Blob without a type, since fetch would add one to a text.
  const response = await fetch(server.url + path, {
    method: "POST",
    headers,
    body: new Blob([body]),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

function refusal(error: string, error_description: string, status = 400): object {
  return { status, body: { error, error_description }, headers: expect.anything() };
}

const TWICE = refusal("invalid_request", "A parameter is given more than once.");
const BAD_ENCODING = refusal(
  "invalid_request",
  "The request body is not correctly percent-encoded UTF-8.",
);
const CONTROL = refusal("invalid_request", "A parameter holds a control character.");
const BAD_TYPE = refusal(
  "invalid_request",
  "The request body must be application/x-www-form-urlencoded in UTF-8.",
  415,
);
const TOO_LARGE = refusal("invalid_request", "The request body is larger than 16 KiB.", 413);
const IN_URL = refusal("invalid_request", "Send credentials in the body, not in the URL.");

describe("what is taken", () => {
  test.each([
    FORM,
    `${FORM};charset=utf-8`,
    `${FORM}; charset=UTF-8`,
    `${FORM}; charset="utf-8"`,
    FORM.toUpperCase(),
  ])("Content-Type %s", async (type) => {
    const { status, body } = await send(good, { type });
    expect({ status, body }).toEqual({ status: 200, body: ISSUED });
  });

  test("an unknown parameter is ignored (RFC 6749 §3.2)", async () => {
    const { status, body } = await send(`${good}&unknown=1&__proto__=x&a%5Bb%5D=c&%C3%A9=%C3%A9`);
    expect({ status, body }).toEqual({ status: 200, body: ISSUED });
  });

  test("an empty parameter counts as absent (RFC 6749 §3.2)", async () => {
    const empty = "&scope=&resource=&client_secret=&client_assertion=&refresh_token=&unknown";
    const { status, body } = await send(good + empty);
    expect({ status, body }).toEqual({ status: 200, body: ISSUED });
  });

  test("a body of 16 KiB", async () => {
    const filled = `${good}&filling=`;
    const { status } = await send(filled + "x".repeat(16_384 - filled.length));
    expect(status).toBe(200);
  });

  test("a URL's query that holds no credential is ignored, whatever it says", async () => {
    const path = "/oauth2/token?grant_type=refresh_token&client_id=another&scope=admin";
    const { status, body } = await send(good, { path });
    expect({ status, body }).toEqual({ status: 200, body: ISSUED });
  });
});

describe("hostile forms", () => {
  test.each(["grant_type", "client_id", "client_secret_hash", "scope", "resource", "unknown"])(
    "H5: %s twice is refused, equal or not, empty or not (RFC 6749 §3.2)",
    async (name) => {
      const parameters = new URLSearchParams(good);
      const value = parameters.get(name) ?? "x";
      parameters.delete(name);
      for (const other of [value, "y", ""]) {
        for (const pair of [
          `${name}=${value}&${name}=${other}`,
          `${name}=${other}&${name}=${value}`,
        ]) {
          expect(await send(`${parameters.toString()}&${pair}`)).toEqual(TWICE);
        }
      }
    },
  );

  test("H5: twice is twice, however it is spelt", async () => {
    expect(await send(`${good}&grant%5Ftype=client_credentials`)).toEqual(TWICE);
    expect(await send(`${good}&%67rant_type=`)).toEqual(TWICE);
  });

  test.each(["%", "%2", "%zz", "%ff", "%c0%af", "%ed%a0%80", "%f5%80%80%80", "%u0041"])(
    "H7: %s is no percent-encoded UTF-8",
    async (text) => {
      expect(await send(`${good}&unknown=${text}`)).toEqual(BAD_ENCODING);
      expect(await send(`${good}&${text}=x`)).toEqual(BAD_ENCODING);
    },
  );

  test("H7: raw bytes that are no UTF-8", async () => {
    const bytes = new Uint8Array(Buffer.concat([Buffer.from(`${good}&unknown=`), Buffer.of(0xff)]));
    expect(await send(bytes)).toEqual(BAD_ENCODING);
  });

  test.each(["%00", "%0a", "%0D%0A", "%1b[31m", "%7f", "%c2%85", "\u0000", "\n"])(
    "H7: the control character in %j is refused in a value and in a name",
    async (text) => {
      expect(await send(`${good}&unknown=a${text}`)).toEqual(CONTROL);
      expect(await send(`${good}&a${text}=x`)).toEqual(CONTROL);
      const parameters = good.replace("client_id=", `client_id=${text}`);
      expect(await send(parameters)).toEqual(CONTROL);
    },
  );

  test.each([
    "",
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    `${FORM}; charset=koi8-r`,
    `${FORM}; charset=utf-16`,
    `${FORM}, application/json`,
    "application/x-www-form-urlencodedx",
  ])("H4: Content-Type %j is 415", async (type) => {
    expect(await send(good, { type })).toEqual(BAD_TYPE);
  });

  test("H4: over 16 KiB is 413, announced or not, before anything is looked at", async () => {
    const filled = `${good}&filling=`;
    expect(await send(filled + "x".repeat(16_385 - filled.length))).toEqual(TOO_LARGE);
    expect(await send("x".repeat(1_000_000))).toEqual(TOO_LARGE);
    const chunks = Array.from({ length: 100 }, () => Buffer.alloc(1000, "x"));
    const response = await fetch(`${server.url}/oauth2/token`, {
      method: "POST",
      headers: { "Content-Type": FORM },
      body: ReadableStream.from(chunks),
      duplex: "half",
    });
    expect({ status: response.status, body: await response.json(), headers: {} }).toEqual(
      TOO_LARGE,
    );
  });

  test("H4: an encoded body is 415", async () => {
    const response = await fetch(`${server.url}/oauth2/token`, {
      method: "POST",
      headers: { "Content-Type": FORM, "Content-Encoding": "gzip" },
      body: good,
    });
    expect(response.status).toBe(415);
  });

  test.each(["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])(
    "V12: %s is 405 and names POST",
    async (method) => {
      const response = await fetch(`${server.url}/oauth2/token?${good}`, { method });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
      expect(await response.text()).not.toContain("access_token");
    },
  );

  test.each(["/oauth2/token/", "/OAUTH2/TOKEN", "//oauth2/token", "/oauth2/%74oken%2f"])(
    "another path, such as %s, is 404",
    async (path) => expect((await send(good, { path })).status).toBe(404),
  );

  test("every refusal is JSON, not stored, and tells no version or path (H8, H11, RFC 6749 §5.2)", async () => {
    const bodies = [`${good}&scope=x&scope=x`, "", "grant_type=x", `${good}&unknown=%00`, "%"];
    for (const text of bodies) {
      const { status, headers } = await send(text);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(Object.fromEntries(headers)).toMatchObject({
        "cache-control": "no-store",
        pragma: "no-cache",
        "content-type": "application/json; charset=utf-8",
        "x-content-type-options": "nosniff",
      });
      expect([headers.get("server"), headers.get("x-powered-by")]).toEqual([null, null]);
    }
  });
});

describe("C15: credentials in the URL (RFC 6749 §2.3.1)", () => {
  test.each([
    "client_secret",
    "client_secret_hash",
    "client_assertion",
    "client_assertion_type",
    "refresh_token",
    "client%5Fsecret",
  ])("%s is refused, with a good body too, and not logged", async (name) => {
    const secret = `canary-${name.replace("%5F", "_")}`;
    const lines = server.lines.length;
    for (const query of [`${name}=${secret}`, `a=b&${name}=${secret}`, name]) {
      expect(await send(good, { path: `/oauth2/token?${query}` })).toEqual(IN_URL);
    }
    const logged = server.lines.slice(lines);
    expect(logged.map((line) => line["reason"])).toEqual(Array(3).fill("credential_in_url"));
    expect(JSON.stringify(logged)).not.toContain("canary");
  });

  test("all parameters in the URL and none in the body give no token", async () => {
    const { status } = await send("", { path: `/oauth2/token?${good}` });
    expect(status).toBe(400);
  });
});

describe("T8: the grant type", () => {
  const request = (grant_type: string, id = client.clientId): string => {
    const parameters = new URLSearchParams(good);
    parameters.set("grant_type", grant_type);
    parameters.set("client_id", id);
    return parameters.toString();
  };
  const MISSING = refusal("invalid_request", "The parameter grant_type is missing.");

  test("is required", async () => {
    expect(await send(good.replace("grant_type=client_credentials&", ""))).toEqual(MISSING);
    expect(await send(request(""))).toEqual(MISSING);
  });

  test.each([
    "password",
    "authorization_code",
    "CLIENT_CREDENTIALS",
    " client_credentials",
    "client_credentials ",
    "__proto__",
    "constructor",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
  ])("%j is not supported", async (grantType) => {
    expect(await send(request(grantType))).toEqual(
      refusal("unsupported_grant_type", "The grant type is not supported."),
    );
  });

  test("must be the client's", async () => {
    expect(await send(request("refresh_token"))).toEqual(
      refusal("unauthorized_client", "The client may not use this grant type."),
    );
    const refresher = await server.createClient({ grantTypes: ["refresh_token"] });
    const { status, body } = await server.clientCredentials(refresher);
    expect({ status, body, headers: {} }).toEqual(
      refusal("unauthorized_client", "The client may not use this grant type."),
    );
  });

  test("which of the supported ones is the client's is told only to the client", async () => {
    for (const grantType of ["refresh_token", "client_credentials"]) {
      expect(await send(request(grantType, "nobody"))).toEqual(
        refusal("invalid_client", "Client authentication failed.", 401),
      );
    }
  });

  test("a missing or unsupported one is named whatever the credentials are", async () => {
    const unsupported = refusal("unsupported_grant_type", "The grant type is not supported.");
    const credentials: Record<string, string>[] = [
      {},
      { client_id: "nobody" },
      { client_id: client.clientId, client_secret: "wrong" },
      { client_id: "nobody", client_secret: "x", client_secret_hash: "y" },
      { client_assertion: "x" },
    ];
    for (const form of credentials) {
      expect(await send(new URLSearchParams(form).toString())).toEqual(MISSING);
      const body = new URLSearchParams({ ...form, grant_type: "password" }).toString();
      expect(await send(body)).toEqual(unsupported);
    }
    const { status, headers } = await server.token(
      { grant_type: "password" },
      { authorization: "Basic bm9ib2R5Ong=" },
    );
    expect([status, headers.get("www-authenticate")]).toEqual([400, null]);
  });

  test("no refresh token for a client without that grant type", async () => {
    expect((await send(good)).body).toEqual(ISSUED);
  });
});
