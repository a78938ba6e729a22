/** `POST /tokens` as the article's client speaks it: JSON or a form, its envelope, its error codes. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { decodeJwt } from "jose";
import { formatInstant } from "@daykey/common/clock";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";

const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";
const FAILURES = 5;

let server: TestAuthServer;
let client: TestClient;
/** What the article's client sends. */
let good: { client_id: string; client_secret_hash: string };
beforeAll(async () => {
  server = await startAuthServer({ config: { badCredentialsPerMinute: FAILURES } });
});
beforeEach(async () => {
  client = await server.createClient();
  good = { client_id: client.clientId, client_secret_hash: await server.dayForm(client) };
});
afterAll(() => server.stop());

interface Seen {
  status: number;
  body: unknown;
  headers: Headers;
}

async function send(
  body: string,
  { type = JSON_TYPE, path = "/tokens", authorization }: Record<string, string> = {},
): Promise<Seen> {
  const response = await fetch(server.url + path, {
    method: "POST",
    headers: {
      ...(type !== "" && { "Content-Type": type }),
      ...(authorization && { authorization }),
    },
    // A Blob without a type, since fetch would add one to a text.
    body: new Blob([body]),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

const asForm = (fields: Record<string, string>): string => new URLSearchParams(fields).toString();

function failure(err_code: number, err_mesg: string, err_desc: unknown): object {
  return { status: 0, data: {}, err_code, err_mesg, err_desc };
}
const denied = (err_desc: unknown): object => failure(1010, "Access denied", err_desc);
const UNAUTHORIZED = failure(1001, "Not Authorized", "Client authentication failed.");

describe("a token", () => {
  const ways: [name: string, make: () => Promise<Seen>][] = [
    ["as JSON", () => send(JSON.stringify(good))],
    ["as a form", () => send(asForm(good), { type: FORM_TYPE })],
    ["with members it does not know", () => send(JSON.stringify({ ...good, scope: 1, "": null }))],
    [
      "by the one-time form",
      async () =>
        send(JSON.stringify({ ...good, client_secret_hash: await server.oneTime(client) })),
    ],
  ];
  test.each(ways)("%s: 201 and the article's envelope", async (_name, make) => {
    const { status, body, headers } = await make();
    expect(status).toBe(201);
    const { data } = body as { data: Record<string, string> };
    const { exp, iat, client_id: issuedTo } = decodeJwt(data["token"] ?? "");
    expect(body).toEqual({
      status: 1,
      data: {
        token: data["token"],
        expires_on: formatInstant(Number(exp)),
        refresh_token: expect.stringMatching(/^dkr1\./),
      },
      err_code: 0,
      err_mesg: "",
      err_desc: "",
    });
    expect([Number(exp) - Number(iat), issuedTo]).toEqual([600, client.clientId]);
    expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect([headers.get("cache-control"), headers.get("pragma")]).toEqual(["no-store", "no-cache"]);
  });

  test("without a refresh token its field is empty", async () => {
    const other = await server.createClient({ grantTypes: ["client_credentials"] });
    const hash = await server.dayForm(other);
    const { body } = await send(
      JSON.stringify({ client_id: other.clientId, client_secret_hash: hash }),
    );
    expect(body).toMatchObject({ status: 1, data: { refresh_token: "" } });
  });

  test("the article's client ids are integers, in JSON too", async () => {
    const numbered = await server.createClient({ clientId: "9007199254740993" });
    const hash = await server.dayForm(numbered);
    const { status } = await send(
      `{"client_id": 9007199254740993, "client_secret_hash": "${hash}"}`,
    );
    expect(status).toBe(201);
  });

  test("its refresh token works at the token endpoint", async () => {
    const { body } = await send(JSON.stringify(good));
    const { data } = body as { data: Record<string, string> };
    expect((await server.refresh(client, data["refresh_token"])).status).toBe(200);
  });
});

describe("1003: a field that is missing is named", () => {
  const both = "client_id,client_secret_hash";
  test.each([
    ["{}", JSON_TYPE, both],
    ['{"client_id": "a"}', JSON_TYPE, "client_secret_hash"],
    ['{"client_id": "", "client_secret_hash": "x"}', JSON_TYPE, "client_id"],
    ['{"client_id": null, "client_secret_hash": "x"}', JSON_TYPE, "client_id"],
    ['{"client_id": "a", "client_secret": "x"}', JSON_TYPE, "client_secret_hash"],
    ["", FORM_TYPE, both],
    ["client_id=a&client_secret_hash=", FORM_TYPE, "client_secret_hash"],
  ])("%s", async (text, type, names) => {
    const { status, body } = await send(text, { type });
    expect([status, body]).toEqual([400, failure(1003, "Missing field", names)]);
  });
});

describe("1001: every failed authentication is one answer, whatever its cause", () => {
  const causes: [name: string, make: () => object | Promise<object>][] = [
    ["an unknown client", () => ({ ...good, client_id: "nobody" })],
    ["a number that is no client", () => ({ ...good, client_id: -7 })],
    ["a wrong hash", () => ({ ...good, client_secret_hash: "0".repeat(64) })],
    ["no hash at all", () => ({ ...good, client_secret_hash: "x" })],
    ["a number as hash", () => ({ ...good, client_secret_hash: 12 })],
    ["the secret itself", () => ({ ...good, client_secret_hash: client.clientSecret })],
    [
      "a disabled client",
      async () => {
        const text = "update daykey.clients set enabled = false where client_id = $1";
        await server.database.query(text, [client.clientId]);
        await server.look();
        return good;
      },
    ],
  ];
  test.each(causes)("%s", async (_name, make) => {
    const { status, body, headers } = await send(JSON.stringify(await make()));
    expect([status, body]).toEqual([401, UNAUTHORIZED]);
    expect(headers.get("www-authenticate")).toBeNull();
  });

  test("but who holds the key is told of its clock", async () => {
    const client_secret_hash = await server.oneTime(client, server.now() + 3600);
    const { status, body } = await send(JSON.stringify({ ...good, client_secret_hash }));
    expect([status, body]).toEqual([
      401,
      failure(1001, "Not Authorized", expect.stringMatching(/the server's time is \d{4}-/)),
    ]);
  });
});

describe("1010: what cannot be a request, or is not allowed", () => {
  const notAnObject = denied("The request body must be a JSON object.");
  const notJson = denied(
    expect.stringMatching(/^The request body is not acceptable JSON: .+, at character \d+\.$/),
  );
  const wrongType = denied("The request body must be JSON or a form, in UTF-8.");
  test.each([
    ["[]", JSON_TYPE, 400, notAnObject],
    ["null", JSON_TYPE, 400, notAnObject],
    ['"x"', JSON_TYPE, 400, notAnObject],
    ["", JSON_TYPE, 400, notJson],
    ["{", JSON_TYPE, 400, notJson],
    ['{"client_id":"a","client_id":"b"}', JSON_TYPE, 400, notJson],
    ['{"client_id":"a\\u0000"}', JSON_TYPE, 400, notJson],
    [
      '{"client_id":["a"]}',
      JSON_TYPE,
      400,
      denied("client_id and client_secret_hash must be texts."),
    ],
    [
      '{"client_id":1.5}',
      JSON_TYPE,
      400,
      denied("client_id and client_secret_hash must be texts."),
    ],
    ["client_id=a&client_id=a", FORM_TYPE, 400, denied("A parameter is given more than once.")],
    ["client_id=a", "text/plain", 415, wrongType],
    ["client_id=a", "", 415, wrongType],
    ['{"client_id":"a"}', "application/json; charset=utf-16", 415, wrongType],
    [
      `{"x":"${"x".repeat(8192)}"}`,
      JSON_TYPE,
      413,
      denied("The request body is larger than 8192 bytes."),
    ],
    [`x=${"x".repeat(16_384)}`, FORM_TYPE, 413, denied("The request body is larger than 16 KiB.")],
  ])("%.40s as %s: %i", async (text, type, status, expected) => {
    const seen = await send(text, { type });
    expect([seen.status, seen.body]).toEqual([status, expected]);
  });

  test("a second credential, in a header", async () => {
    const authorization = `Basic ${Buffer.from(`${client.clientId}:x`).toString("base64")}`;
    const { status, body } = await send(JSON.stringify(good), { authorization });
    expect([status, body]).toEqual([400, denied("Use exactly one way of client authentication.")]);
  });

  test("C15: a credential in the URL", async () => {
    const path = `/tokens?${asForm(good)}`;
    const { status, body } = await send(JSON.stringify(good), { path });
    expect([status, body]).toEqual([400, denied("Send credentials in the body, not in the URL.")]);
  });

  test("T8: a client without the grant type", async () => {
    const other = await server.createClient({ grantTypes: ["refresh_token"] });
    const hash = await server.dayForm(other);
    const { status, body } = await send(
      JSON.stringify({ client_id: other.clientId, client_secret_hash: hash }),
    );
    expect([status, body]).toEqual([400, denied("The client may not use this grant type.")]);
  });

  test("C14: the limit on bad credentials is one with the token endpoint's", async () => {
    const wrong = { client_id: "seed-guesser", client_secret_hash: "0".repeat(64) };
    const statuses = [];
    for (let i = 0; i < FAILURES; i++) {
      const seen = await (i % 2 === 0
        ? send(JSON.stringify(wrong))
        : server.token({ grant_type: "client_credentials", ...wrong }));
      statuses.push(seen.status);
    }
    expect(new Set(statuses)).toEqual(new Set([401]));
    const { status, body, headers } = await send(JSON.stringify(wrong));
    expect([status, body]).toEqual([429, denied("Too many failed attempts. Try again later.")]);
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

test("what is the server's fault is in the envelope too", async () => {
  const unknown = { ...good, client_id: "not-cached" };
  await server.database.query("alter table daykey.clients rename to hidden");
  const { status, body } = await send(JSON.stringify(unknown));
  await server.database.query("alter table daykey.hidden rename to clients");
  expect([status, body]).toEqual([
    500,
    failure(1000, "Not available", "The server met an unexpected condition."),
  ]);
});

test("V12: only POST, only this path", async () => {
  for (const [method, path, status] of [
    ["GET", "/tokens", 405],
    ["OPTIONS", "/tokens", 405],
    ["POST", "/tokens/", 404],
    ["POST", "/Tokens", 404],
  ] as const) {
    const response = await fetch(server.url + path, { method });
    expect([response.status, method, path]).toEqual([status, method, path]);
    await response.arrayBuffer();
  }
});
