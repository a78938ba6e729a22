import { afterAll, beforeAll, expect, test } from "vitest";
import {
  ISSUER,
  RESOURCE,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

const PATH = "/.well-known/oauth-protected-resource";

let api: TestResourceServer;
beforeAll(async () => {
  api = await startResourceServer();
});
afterAll(() => api.stop());

test("RFC 9728 §3.2: the metadata, for anyone", async () => {
  const { status, headers, body } = await api.request(`GET ${PATH}`);
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    "content-type": "application/json; charset=utf-8",
    "cache-control": "public, max-age=300",
  });
  expect(body).toEqual({
    resource: RESOURCE,
    authorization_servers: [ISSUER],
    scopes_supported: ["time:read", "primes:check"],
    bearer_methods_supported: ["header"],
    dpop_signing_alg_values_supported: ["ES256", "Ed25519", "EdDSA"],
    dpop_bound_access_tokens_required: false,
    jwks_uri: `${RESOURCE}/.well-known/jwks.json`,
    resource_signing_alg_values_supported: ["Ed25519"],
    resource_name: "Daykey time and primes",
  });
});

test("RFC 9728 §5.1: a challenge leads to the metadata of the very resource (§3.3)", async () => {
  const { headers } = await api.request("GET /time");
  const [, address = ""] =
    /resource_metadata="([^"]+)"/.exec(headers["www-authenticate"] ?? "") ?? [];
  const { origin, pathname } = new URL(address);
  expect(origin).toBe(RESOURCE);
  const { body } = await api.request(`GET ${pathname}`);
  expect(body).toMatchObject({ resource: origin });
});

test("H2: the metadata comes from settings, never from the request's Host", async () => {
  const raw = await api.exchange(
    `GET ${PATH} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n` +
      "X-Forwarded-Proto: http\r\nForwarded: host=evil.example\r\nConnection: close\r\n\r\n",
  );
  expect(raw).toMatch(/^HTTP\/1.1 200 /);
  expect(raw).not.toContain("evil.example");
  expect(raw).toContain(`"resource":"${RESOURCE}"`);
});

test.each([`${PATH}/`, `${PATH}/time`, PATH.toUpperCase()])("there is none at %s", async (path) => {
  expect((await api.request(`GET ${path}`)).status).toBe(404);
});

test("V12: it is read, not written", async () => {
  expect(await api.request(`HEAD ${PATH}`)).toMatchObject({ status: 200, text: "" });
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const { status, headers } = await api.request(`${method} ${PATH}`);
    expect([status, headers["allow"]], method).toEqual([405, "HEAD, GET"]);
  }
});
