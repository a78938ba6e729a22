/** How a client may prove itself, and how the proof travels: RFC 6749 §2.3, protocol §1. */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatDate } from "@daykey/common/clock";
import { seedHashMessage } from "@daykey/common/secret-hash";
import {
  AUTH_METHODS,
  type AuthMethod,
  GRANT_TYPES,
  JWT_BEARER_GRANT,
} from "@daykey/common/protocol";
import {
  type Answer,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { assertionOf, createKey, present, registerKeys } from "../../test/assertions.ts";

let server: TestAuthServer;
let client: TestClient;
beforeAll(async () => {
  server = await startAuthServer({ config: { seedHash: true, tokenExchange: true } });
  client = await server.createClient();
});
afterAll(() => server.stop());

const REFUSED = { error: "invalid_client", error_description: "Client authentication failed." };
const SEVERAL = {
  error: "invalid_request",
  error_description: "Use exactly one way of client authentication.",
};
const CHALLENGE = `Basic realm="${ISSUER}", charset="UTF-8"`;

function basic(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
}

function request(form: Record<string, string>, authorization?: string): Promise<Answer> {
  const headers = authorization === undefined ? {} : { authorization };
  return server.token({ grant_type: "client_credentials", ...form }, headers);
}

/** Each way to present a credential, with the methods that a client needs for it. */
const PRESENTATIONS: [
  name: string,
  needs: AuthMethod[],
  send: (of: TestClient) => Promise<Answer>,
][] = [
  [
    "the secret in Basic",
    ["client_secret_basic"],
    (of) => request({}, basic(of.clientId, of.clientSecret)),
  ],
  [
    "the secret in post",
    ["client_secret_post"],
    (of) => request({ client_id: of.clientId, client_secret: of.clientSecret }),
  ],
  [
    "the day form in Basic",
    ["client_secret_basic", "client_secret_hash_day"],
    async (of) => request({}, basic(of.clientId, await server.dayForm(of))),
  ],
  [
    "the day form in post",
    ["client_secret_post", "client_secret_hash_day"],
    async (of) => request({ client_id: of.clientId, client_secret: await server.dayForm(of) }),
  ],
  [
    "the day form as client_secret_hash",
    ["client_secret_hash_day"],
    async (of) => request({ client_id: of.clientId, client_secret_hash: await server.dayForm(of) }),
  ],
  [
    "the one-time form",
    ["client_secret_hash_once"],
    async (of) => request({ client_id: of.clientId, client_secret_hash: await server.oneTime(of) }),
  ],
  [
    "the seed-compatible hash",
    ["client_secret_hash_seed"],
    (of) => {
      const message = seedHashMessage(formatDate(server.now()), of.salt);
      const hash = createHmac("sha1", of.clientSecret).update(message).digest("hex");
      return request({ client_id: of.clientId, client_secret_hash: hash });
    },
  ],
  [
    "an assertion",
    ["private_key_jwt"],
    async (of) => {
      const key = createKey("key-1");
      await registerKeys(server, of.clientId, key);
      return present(server, assertionOf(of.clientId, key, server.now()));
    },
  ],
];

describe("C3: a client's registered methods and no others", () => {
  // Servers that see no certificates register none of their ofSecrets: see certificates.test.ts.
  const ofSecrets = AUTH_METHODS.filter((method) => !method.endsWith("tls_client_auth"));
  const all = Array.from({ length: 2 ** ofSecrets.length - 1 }, (_, i) =>
    ofSecrets.filter((_method, bit) => ((i + 1) >> bit) & 1),
  );
  test.each(all.map((methods) => [methods] as const))("%j", async (authMethods) => {
    const limited = await server.createClient({ authMethods });
    for (const [name, needs, send] of PRESENTATIONS) {
      const { status } = await send(limited);
      const isRegistered = needs.every((method) => authMethods.includes(method));
      expect([name, status]).toEqual([name, isRegistered ? 200 : 401]);
    }
  });
});

describe("C1: no token without client authentication", () => {
  // An assertion of a trusted issuer is grant and authentication in one: see trust/hostile.test.ts.
  const grantTypes = GRANT_TYPES.filter((name) => name !== JWT_BEARER_GRANT).map((grant_type) => ({
    grant_type,
  }));
  test.each(grantTypes)("$grant_type", async ({ grant_type }) => {
    const first = await server.clientCredentials(client);
    const refresh_token = String(first.body["refresh_token"]);
    for (const form of [{}, { client_id: client.clientId }, { client_id: "nobody" }]) {
      const { status, body } = await server.token({ grant_type, refresh_token, ...form });
      expect({ status, body }).toEqual({ status: 401, body: REFUSED });
    }
  });

  test("an empty credential is none (RFC 6749 §3.2)", async () => {
    for (const name of ["client_secret", "client_secret_hash", "client_assertion"]) {
      const { status, body } = await request({ client_id: client.clientId, [name]: "" });
      expect({ status, body }).toEqual({ status: 401, body: REFUSED });
    }
  });

  test("an assertion of nobody and by nobody is none", async () => {
    const { status, body } = await request({
      client_id: client.clientId,
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: "e30.e30.",
    });
    expect({ status, body }).toEqual({ status: 401, body: REFUSED });
  });
});

describe("C2: exactly one method a request (RFC 6749 §2.3)", () => {
  test.each([
    ["client_secret", "client_secret_hash"],
    ["client_secret", "client_assertion"],
    ["client_secret_hash", "client_assertion"],
  ])("%s and %s", async (one, other) => {
    const form = {
      client_id: client.clientId,
      [one]: client.clientSecret,
      [other]: await server.dayForm(client),
    };
    const { status, body } = await request(form);
    expect({ status, body }).toEqual({ status: 400, body: SEVERAL });
  });

  test.each(["client_secret", "client_secret_hash", "client_assertion"])(
    "Basic and %s, even with the very same secret",
    async (name) => {
      const form = { client_id: client.clientId, [name]: client.clientSecret };
      const { status, headers, body } = await request(
        form,
        basic(client.clientId, client.clientSecret),
      );
      expect({ status, body }).toEqual({ status: 400, body: SEVERAL });
      expect(headers.get("www-authenticate")).toBeNull();
    },
  );

  test("Basic and another client_id", async () => {
    const { status, body } = await request(
      { client_id: "another" },
      basic(client.clientId, client.clientSecret),
    );
    expect({ status, body }).toEqual({
      status: 400,
      body: {
        error: "invalid_request",
        error_description: "The client_id differs from the Authorization header's.",
      },
    });
  });

  test("an equal client_id or an empty parameter beside Basic is fine", async () => {
    for (const form of [{ client_id: client.clientId }, { client_id: "", client_secret: "" }]) {
      const { status } = await request(form, basic(client.clientId, client.clientSecret));
      expect(status).toBe(200);
    }
  });
});

describe("C4: a 401 names Basic if and only if the Authorization header was used (RFC 6749 §5.2)", () => {
  test.each([
    "Bearer abc",
    "Basic",
    "Basic ",
    "Basic !!!!",
    "Basic =",
    `Basic ${Buffer.from("no colon").toString("base64")}`,
    `Basic ${Buffer.from("bad%percent:x").toString("base64")}`,
    `Basic ${Buffer.from("client:%ff").toString("base64")}`,
    basic("", ""),
    basic("unknown", "secret"),
    `Basic realm="x"`,
    `Basic ${Buffer.from("a:b").toString("base64")}, Basic ${Buffer.from("c:d").toString("base64")}`,
    "DPoP abc",
  ])("%s", async (authorization) => {
    const { status, headers, body } = await request({}, authorization);
    expect({ status, body }).toEqual({ status: 401, body: REFUSED });
    expect(headers.get("www-authenticate")).toBe(CHALLENGE);
  });

  test("the body's credentials get no challenge", async () => {
    const { status, headers } = await request({ client_id: client.clientId, client_secret: "x" });
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBeNull();
  });

  test("a one-time hash in Basic is nothing but wrong", async () => {
    const once = await server.oneTime(client);
    const { status, headers, body } = await request({}, basic(client.clientId, once));
    expect({ status, body }).toEqual({ status: 401, body: REFUSED });
    expect(headers.get("www-authenticate")).toBe(CHALLENGE);
  });
});

describe("Basic as clients write it (RFC 7617, RFC 6749 §2.3.1)", () => {
  test("the scheme's case and the spaces after it do not matter", async () => {
    const encoded = basic(client.clientId, client.clientSecret).slice("Basic ".length);
    for (const scheme of ["basic ", "BASIC   "]) {
      expect((await request({}, scheme + encoded)).status).toBe(200);
    }
  });

  test("id and secret may be form-encoded", async () => {
    const encode = (text: string): string =>
      text.replace(/[^0-9]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
    const header = basic(encode(client.clientId), encode(client.clientSecret));
    expect((await request({}, header)).status).toBe(200);
  });
});

test("the secret's shape decides: no chosen text, root or cut secret stands in for it", async () => {
  const { clientId: client_id, clientSecret } = client;
  const values = [
    clientSecret.slice(0, -1),
    `${clientSecret} `,
    clientSecret.toUpperCase(),
    clientSecret.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
    clientSecret.slice(0, -9),
    client.salt,
    client.kid,
  ];
  for (const client_secret of values) {
    const { status, body } = await request({ client_id, client_secret });
    expect({ status, body }).toEqual({ status: 401, body: REFUSED });
  }
  expect((await request({ client_id, client_secret_hash: clientSecret })).status).toBe(401);
});
