/** Hostile requests: each is refused with a reason, none is a 500, none leaves a trace (A3). */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import fc from "fast-check";
import { createTestAdmin, NEW_CLIENT, type TestAdmin } from "../../test/admin.ts";
import { API, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

const ANY_TEXT = fc.string({ unit: "binary", maxLength: 80 });
// Its tables are made at the first value, and hold up a server in the same process for seconds.
fc.sample(ANY_TEXT, 1);

let server: TestAuthServer;
let admin: TestAdmin;
/** Audit rows that were there before the test. */
let rows: number;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  await admin.create({ client_id: "victim" });
  await admin.create({ client_id: "second.client~with-all_signs" });
});
afterAll(() => server.stop());
beforeEach(async () => void (rows = (await admin.audit()).length));
afterEach(async () => {
  // oxlint-disable-next-line vitest/no-standalone-expect -- no test here may change anything.
  expect((await admin.audit()).length).toBe(rows);
});

const RESOURCE = { uri: "https://x.example.test", name: "x", scopes: ["read"] };

/** Every operation with a body: its path, and a body that it would take. */
const BODIES: [method: string, path: string, body: Record<string, unknown>][] = [
  ["POST", "/clients", { ...NEW_CLIENT, client_id: "never" }],
  ["PATCH", "/clients/victim", { name: "new" }],
  [
    "PUT",
    "/clients/victim",
    {
      ...NEW_CLIENT,
      access_token_seconds: null,
      refresh_idle_seconds: null,
      refresh_absolute_seconds: null,
      access_token_format: "jwt",
      jwks_uri: null,
      require_assertion_typ: true,
      dpop: "optional",
      exchange: null,
      tls_client_auth: null,
      tls_client_certificate_bound_access_tokens: true,
      quotas: [],
      token_quotas: [],
      resource_scopes: [],
      ext: {},
    },
  ],
  ["POST", "/clients/victim/secrets", { kind: "generated" }],
  ["POST", "/clients/victim/keys", { jwk: { kty: "OKP", crv: "Ed25519", x: "AA" } }],
  ["POST", "/clients/victim/api-keys", { name: "x", scopes: ["unknown"] }],
  [
    "POST",
    "/clients/victim/signature-keys",
    { name: "x", algorithm: "hmac-sha256", secret: "AA", quotas: [] },
  ],
  ["POST", "/resources", RESOURCE],
  [
    "PUT",
    `/resources/${encodeURIComponent(API)}`,
    { ...RESOURCE, uri: API, owner_client_id: null },
  ],
  [
    "POST",
    "/trust/issuers",
    { name: "never", iss: "https://ci.example.test", key_source: "discovery" },
  ],
  [
    "POST",
    "/trust/rules",
    {
      name: "never",
      issuer: "nobody",
      client_id: "victim",
      conditions: [{ claim: "sub", one_of: ["a"] }],
    },
  ],
  ["POST", "/keys/rotate", { active_in_seconds: 5 }],
  ["POST", "/revocations", { grant: "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000" }],
];

async function send(method: string, path: string, body: string, headers = {}): Promise<number> {
  const answer = await admin.call(method, path, body, { "if-match": "*", ...headers });
  return answer.status;
}

describe.each(BODIES)("%s %s refuses", (method, path, good) => {
  test.each(["unknown", "__proto__", "constructor", "prototype", "toString", "", "name ", "Name"])(
    "the unknown member %j, at any depth",
    async (member) => {
      const text = JSON.stringify(good);
      const inserted = `${JSON.stringify(member)}:{"x":1}`;
      const outer = `${text.slice(0, -1)},${inserted}}`;
      expect(await send(method, path, outer)).toBe(400);
      const inner = text.replace('{"kty"', `{${inserted},"kty"`);
      const deeper = inner === text ? `{${inserted},${text.slice(1)}` : inner;
      expect(await send(method, path, deeper)).toBe(400);
    },
  );

  test("a member twice, wherever it stands", async () => {
    for (const [name, value] of Object.entries(good)) {
      const twice = `${JSON.stringify(good).slice(0, -1)},"${name}":${JSON.stringify(value)}}`;
      expect(await send(method, path, twice), name).toBe(400);
    }
  });

  test("each member of every other type", async () => {
    const wrong = [
      "{}",
      "[]",
      "[[]]",
      "[null]",
      "[1]",
      "[{}]",
      "true",
      "1.5",
      "1e-2",
      "1e400000",
      "-1",
      "99999999999999999999999999",
      '""',
      '"\\u0000"',
      '"a\\nb"',
      '"\\ud800"',
      '["a\\u0000b"]',
      `"${"x".repeat(3000)}"`,
      `[${Array.from({ length: 300 }, (_, i) => `"s${i}"`).join(",")}]`,
    ];
    for (const name of Object.keys(good)) {
      for (const value of wrong) {
        if (value === JSON.stringify(good[name])) continue;
        const rest = Object.entries(good).filter(([other]) => other !== name);
        const text = JSON.stringify(Object.fromEntries(rest)).slice(1, -1);
        const body = `{${text}${text === "" ? "" : ","}"${name}":${value}}`;
        const status = await send(method, path, body);
        expect([400, 409], `${name}: ${value} is ${status}`).toContain(status);
      }
    }
  });

  test("what is no object, no JSON, no UTF-8, too deep, too large, of another type", async () => {
    for (const body of [
      "null",
      "[]",
      "1",
      '"x"',
      "true",
      "",
      " ",
      "{",
      "{}}",
      "{'a':1}",
      "\uFEFF{}",
    ]) {
      if (body === "" && path === "/keys/rotate") continue;
      const status = await send(method, path, body);
      expect([400, 415], `${body} is ${status}`).toContain(status);
    }
    const deep = `${"[".repeat(5000)}${"]".repeat(5000)}`;
    expect(await send(method, path, deep)).toBe(400);
    expect(await send(method, path, `{"a":"${"x".repeat(65_536)}"}`)).toBe(413);
    for (const type of [
      "text/plain",
      // What a PATCH may be called (RFC 5789 §3.1) is no name for anything else.
      ...(method === "PATCH" ? [] : ["application/merge-patch+json"]),
      "application/x-www-form-urlencoded",
    ]) {
      expect(await send(method, path, JSON.stringify(good), { "content-type": type })).toBe(415);
    }
  });

  test("any JSON whatever", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 3 }), async (value) => {
        // Where every member may be left out, an empty object is a request like any.
        fc.pre(JSON.stringify(value) !== "{}");
        const status = await send(method, path, JSON.stringify(value));
        expect(status, JSON.stringify(value)).toBe(400);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a path", () => {
  const IDS = [
    "%00",
    "%0a",
    "victim%00",
    "victim%0A",
    "victim%2f..%2fadmin",
    "..%2fvictim",
    "%2e%2e%2fvictim",
    "victim%20",
    "%",
    "%zz",
    "%ff",
    "%E0%A4%A",
    "%F0%9F%97%9D",
    "'--",
    "a%27%20or%20%271%27=%271",
    "{client_id}",
    ":client_id",
    "__proto__",
    "constructor",
    "-victim",
    ".victim",
    "VICTIM",
    "x".repeat(65),
    "x".repeat(4000),
  ];
  const SHAPES: [method: string, path: (id: string) => string, body?: object][] = [
    ["GET", (id) => `/clients/${id}`],
    ["PATCH", (id) => `/clients/${id}`, { name: "x" }],
    ["DELETE", (id) => `/clients/${id}`],
    ["POST", (id) => `/clients/${id}/disable`],
    ["POST", (id) => `/clients/${id}/revoke-tokens`],
    ["GET", (id) => `/clients/${id}/secrets`],
    ["POST", (id) => `/clients/${id}/secrets`, { kind: "generated" }],
    ["POST", (id) => `/clients/victim/secrets/${id}/revoke`],
    ["GET", (id) => `/clients/${id}/keys`],
    ["POST", (id) => `/clients/victim/keys/${id}/revoke`],
    ["GET", (id) => `/clients/${id}/api-keys`],
    ["POST", (id) => `/clients/${id}/signature-keys`, { name: "x", algorithm: "hmac-sha256" }],
    ["POST", (id) => `/clients/victim/api-keys/${id}/rotate`],
    ["POST", (id) => `/clients/victim/signature-keys/${id}/revoke`],
    ["GET", (id) => `/resources/${id}`],
    ["PUT", (id) => `/resources/${id}`, { name: "x", scopes: ["a"], owner_client_id: null }],
    ["DELETE", (id) => `/resources/${id}`],
    ["POST", (id) => `/keys/${id}/revoke`],
  ];

  test.each(SHAPES)("%s %s with an id that is none is 404", async (method, path, body) => {
    for (const id of IDS) {
      const answer = await admin.call(method, path(id), body, { "if-match": "*" });
      expect(answer.status, id).toBe(404);
    }
  });

  test.each(SHAPES)("%s %s with any text is no 500", async (method, path, body) => {
    await fc.assert(
      fc.asyncProperty(ANY_TEXT, async (text) => {
        const id = encodeURIComponent(text.toWellFormed());
        const answer = await admin.call(method, path(id), body, { "if-match": "*" });
        // An empty id makes another route, and `.` another path.
        expect([404, 405]).toContain(answer.status);
      }),
      { numRuns: 40 },
    );
  });

  test("an id with every sign an id may have is found, encoded or not", async () => {
    const id = "second.client~with-all_signs";
    for (const text of [id, id.replaceAll(".", "%2e").replaceAll("~", "%7E")]) {
      expect((await admin.get(`/clients/${text}`)).body.client_id).toBe(id);
    }
  });

  test("credentials, or anything else, in a query that has none are not looked at", async () => {
    expect((await admin.get("/clients/victim?access_token=x&__proto__=1&%00=%ff")).status).toBe(
      200,
    );
  });
});

test("a refusal names the member at fault, and never what stood there", async () => {
  const answer = await admin.post("/clients", { ...NEW_CLIENT, name: 7, canary_member: "canary" });
  expect(answer.body).toEqual({
    type: "urn:daykey:problem:invalid-body",
    title: "Invalid body",
    status: 400,
    detail: expect.stringMatching(
      /^name: must be text; the body: has canary_member, which is not known here; it takes client_id, /,
    ),
  });
  expect(JSON.stringify(answer.body)).not.toContain('"canary"');
  const enumerated = await admin.post("/clients", { ...NEW_CLIENT, grant_types: ["canary"] });
  expect(enumerated.text).not.toContain("canary");
  const chosen = await admin.post("/clients/victim/secrets", { kind: "canary" });
  expect([chosen.status, chosen.text.includes("canary")]).toEqual([400, false]);
});

test("If-Match of any kind is no 500", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 50 }), async (text) => {
      const header = text.replaceAll(/[^\x20-\x7e]/g, "");
      const answer = await admin.call("PATCH", "/clients/victim", {}, { "if-match": header });
      expect([200, 400, 412, 428]).toContain(answer.status);
    }),
    { numRuns: 100 },
  );
});
