/** The error for a refused body or query names the member and what it takes, in this project's own words. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { createTestAdmin, NEW_CLIENT, type TestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  await admin.create({ client_id: "known" });
});
afterAll(() => server.stop());

const CLIENT = { ...NEW_CLIENT, client_id: "never" };
const { name: _name, ...NAMELESS } = CLIENT;
const QUOTA = { limit: 1, window: "minute" };
const CLIENT_MEMBERS =
  "client_id, name, auth_methods, grant_types, scopes, resources, resource_scopes, " +
  "access_token_seconds, refresh_idle_seconds, refresh_absolute_seconds, access_token_format, jwks_uri, " +
  "require_assertion_typ, dpop, exchange, tls_client_auth, " +
  "tls_client_certificate_bound_access_tokens, quotas, token_quotas, ext, secret";

test.each<[kind: string, path: string, body: unknown, detail: string]>([
  ["a missing text", "/clients", NAMELESS, "name: is missing, and must be text"],
  [
    "a missing list",
    "/resources",
    { uri: "https://a.test", name: "a" },
    "scopes: is missing, and must be a list",
  ],
  ["another type", "/clients", { ...CLIENT, name: 7 }, "name: must be text"],
  ["null", "/clients", { ...CLIENT, scopes: null }, "scopes: must be a list"],
  ["in a list", "/clients", { ...CLIENT, scopes: ["a", 7] }, "scopes.1: must be text"],
  ["no object", "/clients", [], "the body: must be an object"],
  [
    "a flag",
    "/clients",
    { ...CLIENT, require_assertion_typ: 1 },
    "require_assertion_typ: must be true or false",
  ],
  [
    "a fraction",
    "/clients",
    { ...CLIENT, access_token_seconds: 1.5 },
    "access_token_seconds: must be a whole number",
  ],
  [
    "a text for a number",
    "/clients",
    { ...CLIENT, access_token_seconds: "60" },
    "access_token_seconds: must be a whole number",
  ],
  [
    "too small a number",
    "/clients",
    { ...CLIENT, access_token_seconds: 0 },
    "access_token_seconds: must be at least 1",
  ],
  [
    "too large a number",
    "/clients",
    { ...CLIENT, access_token_seconds: 2_147_483_648 },
    "access_token_seconds: must be at most 2147483647",
  ],
  [
    "a number beyond what JSON's readers keep exact",
    "/clients",
    `${JSON.stringify(CLIENT).slice(0, -1)},"access_token_seconds":99999999999999999999}`,
    "access_token_seconds: must be a whole number",
  ],
  ["an empty text", "/clients", { ...CLIENT, name: "" }, "name: must not be empty"],
  [
    "too long a text",
    "/clients",
    { ...CLIENT, name: "x".repeat(201) },
    "name: must have at most 200 characters",
  ],
  ["an empty list", "/clients", { ...CLIENT, scopes: [] }, "scopes: must not be empty"],
  [
    "too long a list",
    "/clients",
    { ...CLIENT, quotas: Array.from({ length: 99 }, () => QUOTA) },
    expect.stringMatching(/^quotas: must have at most \d+ items$/),
  ],
  [
    "none of the alternatives",
    "/clients",
    { ...CLIENT, grant_types: ["implicit"] },
    'grant_types.0: must be one of "client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange"',
  ],
  [
    "none of the kinds",
    "/clients/known/secrets",
    { kind: "x" },
    'kind: must be one of "generated", "chosen", "verifiers", "imported"',
  ],
  [
    "no kind",
    "/clients/known/secrets",
    {},
    'kind: is missing, and must be one of "generated", "chosen", "verifiers", "imported"',
  ],
  [
    "a pattern",
    "/clients",
    { ...CLIENT, client_id: "a b" },
    "client_id: must be 1 to 64 of the characters A-Z a-z 0-9 . _ ~ - and begin with a letter or digit",
  ],
  [
    "two members",
    "/clients",
    { ...CLIENT, name: 7, scopes: 7 },
    "name: must be text; scopes: must be a list",
  ],
  [
    "a misspelled member",
    "/clients",
    { ...CLIENT, scops: ["a"] },
    `the body: has scops, which is not known here; it takes ${CLIENT_MEMBERS}`,
  ],
  [
    "an unknown member that could be a secret",
    "/clients",
    { ...CLIENT, dks_7a85w9q6secret: 1 },
    `the body: has a member, which is not known here; it takes ${CLIENT_MEMBERS}`,
  ],
  [
    "an unknown member deeper",
    "/clients",
    { ...CLIENT, quotas: [{ ...QUOTA, per: "client" }] },
    "quotas.0: has per, which is not known here; it takes limit, window, scope",
  ],
  [
    "a private key",
    "/clients/known/keys",
    { jwk: { kty: "OKP", crv: "Ed25519", x: "AA", d: "AA" } },
    "jwk.d: belongs to a private key, which only its client may have",
  ],
])("%s is named with what is wanted: POST %s", async (_kind, path, body, detail) => {
  const answer = await admin.post(path, body);
  expect([answer.status, answer.body]).toEqual([
    400,
    expect.objectContaining({ type: "urn:daykey:problem:invalid-body", detail }),
  ]);
});

test.each([
  ["/clients?limit=0", "limit: must be at least 1"],
  ["/clients?limit=201", "limit: must be at most 200"],
  ["/clients?limit=x", "limit: must be a whole number from 1 to 200"],
  ["/clients?cursor=%20", "cursor: must be the next_cursor of the page before"],
  ["/usage?from=2026-02-30", "from: must be a day of the calendar such as 2026-11-21"],
  [
    "/audit?lmit=1",
    expect.stringContaining("the query: has lmit, which is not known here; it takes"),
  ],
])("a query is told likewise: GET %s", async (path, detail) => {
  const answer = await admin.get(path);
  expect([answer.status, answer.body]).toEqual([400, expect.objectContaining({ detail })]);
});

/** Values that break every rule a member may have. */
const WRONG: readonly unknown[] = [
  null,
  true,
  7,
  -1,
  1.5,
  1e300,
  "",
  " ",
  "a\u0000b",
  "x".repeat(3000),
  [],
  [[]],
  [null],
  [{}],
  Array.from({ length: 300 }, (_, index) => `s${index}`),
  {},
  { kind: "x", kty: "x", algorithm: "x", canary: 1 },
];

const PLACE = / (?:[a-z_]+(?:\.\w+)*|the (?:body|query)): /;

test("no refusal of any operation has a word of the library's", async () => {
  const library = wordsOfTheLibrary();
  const document = await (await fetch(`${server.privateUrl}/admin/v1/openapi.json`)).json();
  const { paths, components } = document as OpenApi;
  let refused = 0;
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { requestBody, parameters = [] }] of Object.entries(operations)) {
      const place = path.replace("/admin/v1", "").replaceAll(/\{\w+\}/g, "known");
      const refusals: { isInput: boolean; text: string; names: string }[] = [];
      const send = async (names: string, search: string, body?: unknown): Promise<void> => {
        const answer = await admin.call(method.toUpperCase(), place + search, body, {
          "if-match": "*",
        });
        if (answer.status !== 400) return;
        const { type = "", title = "", detail = "" } = answer.body as Record<string, string>;
        refusals.push({
          isInput: /:invalid-(?:body|query)$/.test(type),
          text: `${title} ${detail}`,
          names,
        });
      };
      const schema = requestBody?.content["application/json"]?.schema;
      for (const name of schema ? membersOf(schema, components.schemas) : []) {
        for (const value of WRONG) await send(name, "", { [name]: value });
      }
      for (const { in: where, name } of parameters) {
        if (where !== "query") continue;
        for (const value of ["", "%20", "x".repeat(300), "-1", "99999999999"]) {
          await send(name, `?${name}=${value}`);
        }
      }
      for (const { text, names, isInput } of refusals) {
        expect(
          library.find((words) => text.includes(words)),
          `${names}: ${text}`,
        ).toBeUndefined();
        expect(!isInput || PLACE.test(text), `${names}: ${text}`).toBe(true);
      }
      refused += refusals.length;
    }
  }
  expect(refused).toBeGreaterThan(500);
});

/** What the library says of each kind of fault, as far as it is the same for all values. */
function wordsOfTheLibrary(): string[] {
  const schema = z.strictObject({
    a: z.string(),
    b: z.string().min(9),
    c: z.string().max(0),
    d: z.enum(["p", "q"]),
    e: z.string().regex(/x/),
    f: z.discriminatedUnion("k", [z.strictObject({ k: z.literal("a") })]),
    g: z.array(z.string()).min(9),
  });
  const said = schema.safeParse({ b: "y", c: "y", d: 1, e: "y", f: {}, g: [], h: 1 });
  const openings = (said.error?.issues ?? []).map(({ message }) => message.split(/[:"`]/)[0] ?? "");
  expect(openings.length).toBe(8);
  return [...openings.map((text) => text.trim()), "expected", "received", "Invalid input"];
}

interface Schema {
  $ref?: string;
  properties?: Record<string, unknown>;
  oneOf?: Schema[];
  anyOf?: Schema[];
}
interface OpenApi {
  paths: Record<
    string,
    Record<
      string,
      {
        requestBody?: { content: Record<string, { schema: Schema }> };
        parameters?: { in: string; name: string }[];
      }
    >
  >;
  components: { schemas: Record<string, Schema> };
}

function membersOf(schema: Schema, schemas: Record<string, Schema>): string[] {
  const { $ref, properties = {}, oneOf = [], anyOf = [] } = schema;
  const target = $ref === undefined ? undefined : schemas[$ref.split("/").at(-1) ?? ""];
  const others = [...oneOf, ...anyOf, ...(target ? [target] : [])];
  return [
    ...new Set([...Object.keys(properties), ...others.flatMap((one) => membersOf(one, schemas))]),
  ];
}
