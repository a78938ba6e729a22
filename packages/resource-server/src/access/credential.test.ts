import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  malformed,
  NO_CREDENTIAL,
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

/** `GET target` with header lines as written, where JWT stands for a valid token. */
async function get(target: string, ...fields: string[]) {
  const lines = [`GET ${target} HTTP/1.1`, "Host: a.example", ...fields, "Connection: close"];
  const request = `${lines.join("\r\n")}\r\n\r\n`.replaceAll("JWT", api.token());
  return parseAnswer(await api.exchange(request));
}

const API_KEY = `dkk_t5abcde12345_${"0a".repeat(21)}0_012345`;
const NOT_BEARER = malformed("The Authorization header is not of the form Bearer <token>.");
const IN_URL = malformed("A credential belongs into a header, not into the URL.");
const TWO = malformed("Use exactly one credential.");
const ALIAS = malformed("X-PA-AUTH-TOKEN is not one access token.");
const REPEATED = {
  status: 400,
  challenge: undefined,
  body: {
    type: "about:blank",
    title: "Bad Request",
    status: 400,
    detail: "The request has more than one authorization header.",
  },
};

test.each([
  "Authorization: Bearer JWT",
  "Authorization: bearer JWT",
  "Authorization: BEARER JWT",
  "authorization: bEaReR JWT",
  "Authorization: Bearer   JWT",
  "Authorization:Bearer JWT  ",
  "Authorization: \tBearer JWT\t",
  "X-PA-AUTH-TOKEN: JWT",
  "x-pa-auth-token: JWT",
])("V5: served with %s (the scheme is case-insensitive, RFC 9110 §11.1)", async (field) => {
  expect(await get("/time", field)).toMatchObject({ status: 200 });
});

test.each([
  [],
  ["Authorization:"],
  ["Authorization: Basic YTpi"],
  ["Authorization: Basic JWT"],
  ["Authorization: Digest JWT"],
  ["Authorization: Digest username=a"],
  ["Authorization: JWT"],
  ["Authorization: 12345"],
  [`Authorization: ${API_KEY.slice(0, -1)}`],
  [`Authorization: ${API_KEY} `.replace("dkk", "DKK")],
  [`Authorization: ApiKey ${API_KEY}`],
  ["Authorization: BearerJWT"],
  ["Authorization: Bearer\tJWT"],
  ["Authorization: Bearer=JWT"],
  ["Authorization: Bearers JWT"],
  ["Authorization: Token JWT"],
  ["Authorization: Basic YTpi, Bearer JWT"],
  ["Proxy-Authorization: Bearer JWT"],
  ["Cookie: access_token=JWT; Authorization=Bearer JWT"],
  ["X-Authorization: Bearer JWT"],
  ["X-Forwarded-Authorization: Bearer JWT"],
  ["X_PA_AUTH_TOKEN: JWT"],
])("V5: no credential that is served here is 401 without an error code: %s", async (...fields) => {
  expect(refusalOf(await get("/time", ...fields))).toEqual(NO_CREDENTIAL);
});

test.each([
  "Bearer",
  "Bearer ",
  "bearer",
  "Bearer =",
  "Bearer JWT,",
  "Bearer JWT JWT",
  "Bearer JWT, Bearer JWT",
  "Bearer JWT, Basic YTpi",
  'Bearer "JWT"',
  "Bearer <JWT>",
  "Bearer Bearer JWT",
  "Bearer token=JWT",
  "Bearer =JWT",
  "Bearer J=WT",
  "Bearer \tJWT",
  "Bearer JWT\t.",
  "Bearer tök.en.\xff",
  "Bearer JWT;",
  "Bearer a%2eb.c",
])("V5: malformed is 400 invalid_request: Authorization: %j", async (value) => {
  const answer = await get("/time", `Authorization: ${value}`);
  expect(refusalOf(answer)).toEqual(NOT_BEARER);
});

describe("V8: two credentials", () => {
  test.each([
    ["Authorization: Bearer JWT", "Authorization: Bearer JWT"],
    ["Authorization: Bearer JWT", "authorization: Basic YTpi"],
    ["Authorization: Basic YTpi", "AUTHORIZATION: Bearer JWT"],
    ["Authorization:", "Authorization: Bearer JWT"],
  ])("%s and %s", async (...fields) => {
    expect(refusalOf(await get("/time", ...fields))).toEqual(REPEATED);
  });

  test.each([
    ["Authorization: Bearer JWT", "X-PA-AUTH-TOKEN: JWT"],
    ["X-PA-AUTH-TOKEN: JWT", "Authorization: Bearer x"],
    ["Authorization: Basic YTpi", "X-PA-AUTH-TOKEN: JWT"],
    ["Authorization:", "X-PA-AUTH-TOKEN: JWT"],
    ["Authorization: Bearer JWT", "X-PA-AUTH-TOKEN:"],
  ])("%s and %s", async (...fields) => {
    expect(refusalOf(await get("/time", ...fields))).toEqual(TWO);
  });

  const each = {
    "Authorization: Bearer": ["Authorization: Bearer JWT"],
    "X-PA-AUTH-TOKEN": ["X-PA-AUTH-TOKEN: JWT"],
    "X-Api-Key": [`X-Api-Key: ${API_KEY}`],
    "a bare API key": [`Authorization: ${API_KEY}`],
  };
  const pairs = Object.entries(each).flatMap(([one, first], index) =>
    Object.entries(each)
      .slice(index + 1)
      .map(([two, second]) => [one, two, [...first, ...second]] as const),
  );
  test.each(pairs)("%s and %s", async (_one, _two, fields) => {
    const isRepeated = fields.every((field) => field.startsWith("Authorization"));
    expect(refusalOf(await get("/time", ...fields))).toEqual(isRepeated ? REPEATED : TWO);
    expect(refusalOf(await get("/time", ...fields.toReversed()))).toEqual(
      isRepeated ? REPEATED : TWO,
    );
  });

  test.each([
    ["X-Api-Key: KEY", "X-Api-Key: KEY"],
    ["X-Api-Key:"],
    ["X-Api-Key: Bearer KEY"],
    ["X-Api-Key: K EY"],
    ["X-Api-Key: \xf6"],
  ])("X-Api-Key holds exactly one API key: %s", async (...fields) => {
    expect(refusalOf(await get("/time", ...fields))).toEqual(
      malformed("X-Api-Key is not one API key."),
    );
  });

  test.each([
    [["X-PA-AUTH-TOKEN: JWT", "X-PA-AUTH-TOKEN: JWT"]],
    [["X-PA-AUTH-TOKEN: JWT", "x-pa-auth-token:"]],
    [["X-PA-AUTH-TOKEN:"]],
    [["X-PA-AUTH-TOKEN: Bearer JWT"]],
    [["X-PA-AUTH-TOKEN: JWT,"]],
    [["X-PA-AUTH-TOKEN: J\xf6WT"]],
  ])("the alias holds exactly one token: %s", async (fields) => {
    expect(refusalOf(await get("/time", ...fields))).toEqual(ALIAS);
  });
});

test.each([
  "/time?access_token=JWT",
  "/time?zone=UTC&access_token=JWT",
  "/time?access_token",
  "/time?access_token=",
  "/time?access%5Ftoken=JWT",
  "/time?%61ccess_token=JWT",
  "/time?access_token=x&access_token=JWT",
  "/primes/97?access_token=JWT",
  "http://a.example/time?access_token=JWT",
])("V8, C15: a token in the URL is 400, alone or beside a header: GET %s", async (target) => {
  expect(refusalOf(await get(target))).toEqual(IN_URL);
  expect(refusalOf(await get(target, "Authorization: Bearer JWT"))).toEqual(IN_URL);
  expect(refusalOf(await get(target, "X-PA-AUTH-TOKEN: JWT"))).toEqual(IN_URL);
});

test("V8, C15: no credential has a place in the URL, under any name that is in use for one", async () => {
  const names =
    "Access_Token,token,api_key,apikey,apiKey,api-key,x-api-key,key,client_secret,client-secret-hash," +
    "client_assertion,refresh_token,id_token,password,secret,jwt,auth,authorization,bearer,x-pa-auth-token";
  for (const name of names.split(",")) {
    expect(refusalOf(await get(`/time?zone=UTC&${name}=x`)), name).toEqual(IN_URL);
  }
  for (const value of [API_KEY, "dks_x", "dkr1.x", "dka1.x"]) {
    expect(refusalOf(await get(`/time?x=${value}`)), value).toEqual(IN_URL);
  }
  expect(api.logText()).not.toContain(API_KEY.slice(0, 30));
  const harmless = "/time?tokens=x&keys=y&monkey=z&zone=UTC&author=dkk";
  const { body } = await get(harmless, "Authorization: Bearer JWT");
  // They are the route's to judge.
  expect(body).toMatchObject({ type: "urn:daykey:problem:invalid-query" });
});

test("V7: a token in the body (RFC 6750 §2.2) or in a trailer is not read", async () => {
  const form = `access_token=${api.token()}`;
  const inBody = await api.request("POST /primes", {
    body: form,
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  });
  expect(refusalOf(inBody)).toEqual(NO_CREDENTIAL);

  const trailer = `Authorization: Bearer ${api.token()}\r\n`;
  const inTrailer = await api.exchange(
    "POST /primes HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n" +
      "Content-Type: application/json\r\nTrailer: Authorization\r\n" +
      `Transfer-Encoding: chunked\r\n\r\nd\r\n{"number": 7}\r\n0\r\n${trailer}\r\n`,
  );
  expect(refusalOf(parseAnswer(inTrailer))).toEqual(NO_CREDENTIAL);
});
