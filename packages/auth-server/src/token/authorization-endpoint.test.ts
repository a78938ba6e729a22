import { afterAll, beforeAll, expect, test } from "vitest";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
beforeAll(async () => {
  server = await startAuthServer();
});
afterAll(() => server.stop());

async function ask(query: string, method = "GET"): Promise<object> {
  const url = `${server.url}/oauth2/authorize${query}`;
  const response = await fetch(url, { method, redirect: "manual" });
  const { status, headers } = response;
  const body = method === "HEAD" ? undefined : ((await response.json()) as object);
  return {
    status,
    location: headers.get("location"),
    type: headers.get("content-type"),
    cache: headers.get("cache-control"),
    body,
  };
}

function refusal(error: string, error_description: string): object {
  return {
    status: 400,
    location: null,
    type: "application/json; charset=utf-8",
    cache: "no-store",
    body: { error, error_description },
  };
}

test("RFC 6749 §4.1.2.1: no response type is supported, and nobody is sent anywhere", async () => {
  const refused = refusal(
    "unsupported_response_type",
    "Nobody can log in here: get a token from the token endpoint with the grant type client_credentials.",
  );
  for (const query of [
    "?response_type=code",
    "?response_type=token&client_id=nobody&redirect_uri=https://evil.example/",
    "?response_type=code&redirect_uri=//evil.example",
    "?response_type=code&redirect_uri=javascript:alert(1)&state=%3Cscript%3E",
    "?response_type=",
    "?response_type=code&response_type=token",
  ]) {
    expect(await ask(query), query).toEqual(refused);
  }
});

test("response_type is required", async () => {
  const missing = refusal("invalid_request", "The parameter response_type is missing.");
  for (const query of ["", "?", "?redirect_uri=https://evil.example/", "?%", "?response_types=x"]) {
    expect(await ask(query), query).toEqual(missing);
  }
});

test("it answers GET and HEAD alone", async () => {
  expect(await ask("?response_type=code", "HEAD")).toMatchObject({ status: 400, location: null });
  expect(await ask("?response_type=code", "POST")).toMatchObject({ status: 405, location: null });
});
