/** RFC 9728 for services that know nothing of it: the resources of the routes file, by host and path. */
import { API, ISSUER } from "@daykey/auth-server/test/auth-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../test/gateway.ts";
import { request, send } from "../test/wire.ts";

const ROUTES = `
hosts:
  orders.example.test:
    resource: https://orders.example.test
    routes:
      - { path: /open, access: public }
      - { path: /orders, methods: [GET], scope: "orders:read" }
      - { path: /orders, methods: [POST], scope: "orders:write" }
      - { path: /reports, scope: "orders:read" }
  inside.example.test:
    resource: https://orders.example.test/v2
    routes: [{ path: /, scope: "v2" }]
  both.example.test:
    resource: https://ports.example.test:8443
    routes: [{ path: /, scope: "a" }]
  other.example.test:
    resource: https://ports.example.test:9443
    routes: [{ path: /, scope: "b" }]
  "*":
    routes: [{ path: /, access: public }]
`;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ routes: ROUTES, config: { trustedProxies: ["192.0.2.1"] } });
});
afterAll(() => gateway.stop());

async function metadata(host: string, path = ""): Promise<[number, unknown, unknown]> {
  const line = `GET /.well-known/oauth-protected-resource${path}`;
  const { status, body } = await send(gateway.publicPort, request(line, [`Host: ${host}`]));
  const { resource, scopes_supported: scopes } = JSON.parse(body) as Record<string, unknown>;
  return [status, resource, scopes];
}

test.each([
  ["orders.example.test", "", "https://orders.example.test", ["orders:read", "orders:write"]],
  ["ORDERS.example.test:80", "", "https://orders.example.test", ["orders:read", "orders:write"]],
  ["orders.example.test", "/v2", "https://orders.example.test/v2", ["v2"]],
  ["ports.example.test:8443", "", "https://ports.example.test:8443", ["a"]],
  ["ports.example.test:9443", "", "https://ports.example.test:9443", ["b"]],
  [new URL(API).host, "", API, []],
])("at %s%s it is that of %s", async (host, path, resource, scopes) => {
  expect(await metadata(host, path)).toEqual([200, resource, scopes]);
});

test.each([
  ["inside.example.test", ""],
  ["orders.example.test", "/v3"],
  ["orders.example.test", "/v2/"],
  ["orders.example.test", "/v2/../v2"],
  ["orders.example.test", "/%76%32"],
  ["orders.example.test", "/"],
  ["ports.example.test", ""],
  ["orders.example.test.", ""],
  ["[::1]", ""],
  ["a b", ""],
])("at %s%s there is none: 404 or 400", async (host, path) => {
  const [status, resource] = await metadata(host, path);
  expect([[400, 404].includes(status), resource]).toEqual([true, undefined]);
});

test("everybody may have it, and keep it a while", async () => {
  const answer = await send(
    gateway.publicPort,
    request("GET /.well-known/oauth-protected-resource", ["Host: orders.example.test"]),
  );
  expect(answer.headers.get("cache-control")).toEqual(["public, max-age=300"]);
  expect(JSON.parse(answer.body)).toMatchObject({ authorization_servers: [ISSUER] });
});

test("a file that is reloaded changes it", async () => {
  gateway.write(ROUTES.replaceAll("orders:write", "orders:change"));
  await gateway.reload();
  expect(await metadata("orders.example.test")).toEqual([
    200,
    "https://orders.example.test",
    ["orders:change", "orders:read"],
  ]);
});
