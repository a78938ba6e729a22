/** The API page's files and the document it shows; the page itself is opened by the end-to-end tests. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ISSUER,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

type Json = ReturnType<typeof JSON.parse>;

let api: TestResourceServer;
let document: Json;
beforeAll(async () => {
  api = await startResourceServer();
  document = (await api.request("GET /openapi.json")).body;
});
afterAll(() => api.stop());

describe("/docs", () => {
  test.each([
    ["/docs", "text/html; charset=utf-8"],
    ["/docs/start.js", "text/javascript; charset=utf-8"],
    ["/docs/page.css", "text/css; charset=utf-8"],
    ["/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
    ["/docs/swagger-ui.css", "text/css; charset=utf-8"],
  ])("%s", async (path, type) => {
    const { status, headers } = await api.request(`GET ${path}`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": type,
      "cache-control": "public, max-age=300",
      "x-content-type-options": "nosniff",
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
        `connect-src 'self' ${ISSUER}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    });
  });

  test("the page loads nothing from elsewhere and holds no script of its own", async () => {
    const { text } = await api.request("GET /docs");
    const addresses = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address);
    expect(addresses).toEqual([
      "data:,",
      "/docs/swagger-ui.css",
      "/docs/page.css",
      "/openapi.json",
      "/docs/swagger-ui-bundle.js",
      "/docs/start.js",
    ]);
    expect(text).not.toMatch(/<script>|<style|style=|onload/);
  });

  test.each([
    "/docs/",
    "/docs/index.html",
    "/docs/swagger-ui-bundle.js.map",
    "/docs/package.json",
    "/docs/../main.ts",
    "/docs/%2e%2e/main.ts",
    "/docs/page/start.js",
  ])("nothing else of the package is served: %s", async (path) => {
    expect((await api.request(`GET ${path}`)).status).toBe(404);
  });

  test("V12: it is read, not written", async () => {
    expect(await api.request("HEAD /docs")).toMatchObject({ status: 200, text: "" });
    expect((await api.request("POST /docs")).status).toBe(405);
    expect((await api.request("OPTIONS /docs")).status).toBe(405);
  });
});

describe("/openapi.json", () => {
  test("is OpenAPI 3.1, and where tokens are had", () => {
    expect(document.openapi).toBe("3.1.1");
    expect(document.components.securitySchemes.client.flows).toEqual({
      clientCredentials: {
        tokenUrl: `${ISSUER}/oauth2/token`,
        scopes: { "time:read": "Ask for the time", "primes:check": "Ask about numbers" },
      },
    });
  });

  test("its server is where it was fetched, as tools want to be told", () => {
    expect(document.servers).toEqual([{ url: "/" }]);
  });

  test("every reference leads to a schema", () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    expect(refs.length).toBeGreaterThan(20);
    for (const [, name] of refs) expect(document.components.schemas).toHaveProperty([name ?? ""]);
  });

  test("every operation is there and guarded by the scope it names", async () => {
    const names = [];
    for (const [path, methods] of Object.entries<Json>(document.paths)) {
      for (const [method, operation] of Object.entries<Json>(methods)) {
        names.push(operation.operationId);
        const target = `${method.toUpperCase()} ${path.replace("{n}", "97")}`;
        expect((await api.request(target)).status, target).toBe(401);
        const [{ client: needed }] = operation.security;
        const { status, headers } = await api.request(target, {
          token: api.token({ claims: { scope: "other" } }),
        });
        expect(status, target).toBe(403);
        expect(headers["www-authenticate"], target).toContain(`scope="${needed.join()}"`);
      }
    }
    expect(new Set(names).size).toBe(7);
  });

  test("names the headers that answers have, and no alternative without a name", async () => {
    const headersOf = (status: number) =>
      Object.keys(document.paths["/primes/{n}"].get.responses[status].headers);
    const quota = [{ limit: 1, window: "day" as const }];
    const token = api.token({ claims: { quota } });
    const answers = [
      await api.request("GET /primes/97", { token }),
      await api.request("GET /primes/97", { token }),
      await api.request("GET /primes/97"),
      await api.request("GET /primes/97", { headers: { Authorization: "Bearer a b" } }),
      await api.request("GET /primes/97", { token: api.token({ claims: { scope: "other" } }) }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 429, 401, 400, 403]);
    for (const { status, headers } of answers) {
      for (const name of headersOf(status)) {
        expect(headers, `${status}`).toHaveProperty([name.toLowerCase()]);
      }
      for (const name of ["www-authenticate", "retry-after", "ratelimit", "ratelimit-policy"]) {
        const isNamed = headersOf(status).some((one) => one.toLowerCase() === name);
        expect(name in headers, `${status} ${name}`).toBe(isNamed);
      }
    }
    expect(headersOf(503)).toEqual(["Retry-After"]);
    const alternatives = [...JSON.stringify(document).matchAll(/"(?:anyOf|oneOf)":\[\{"([^"]+)"/g)];
    expect(alternatives.length).toBeGreaterThan(3);
    // Either types with a name, or the two spellings of a plain value.
    for (const [, first] of alternatives) expect(["$ref", "type"]).toContain(first);
    expect(JSON.stringify(document)).not.toMatch(/\{"type":"object"[^[\]]*\},\{"type":"object"/);
    expect(JSON.stringify(document)).not.toContain("\\\\P{");
  });

  test("its examples of answers and failures are of their schemas' members", async () => {
    const token = api.token();
    for (const [path, methods] of Object.entries<Json>(document.paths)) {
      for (const [method, { responses, requestBody }] of Object.entries<Json>(methods)) {
        const [example] = Object.values<Json>(
          requestBody?.content["application/json"].examples ?? {},
        );
        const { status, body } = await api.request(
          `${method.toUpperCase()} ${path.replace("{n}", "97")}`,
          {
            token,
            ...(example && {
              headers: { "Content-Type": "application/json" },
              body: JSON.stringify(example.value),
            }),
          },
        );
        expect(status, path).toBe(200);
        const described = responses[200].content["application/json"].example;
        expect(Object.keys(body as object), path).toEqual(Object.keys(described));
      }
    }
  });
});
