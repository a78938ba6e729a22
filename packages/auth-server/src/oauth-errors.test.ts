import { Readable } from "node:stream";
import { promisify } from "node:util";

import { OAuthError } from "@daykey/common/oauth-error";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type AppServer, startAppServer } from "@daykey/service/test/app-server";
import { DatabaseUnavailable } from "@daykey/service/database/database-unavailable";
import { problem as problemOf } from "@daykey/service/http/problem-error";
import type { AppRouter } from "@daykey/service/http/router";
import { OAUTH_FORMAT, OAUTH_PROBLEM_FORMAT } from "./oauth-errors.ts";

const CANARY = "canary at /work/secret.ts:1:1 select * from keys";

/** Each path fails in its own way. */
function addFailures(router: AppRouter): void {
  const fails = (path: string, error: () => unknown) =>
    router.get(path, () => {
      throw error();
    });
  fails("/oauth", () => {
    const headers = { "WWW-Authenticate": 'Basic realm="x"' };
    return new OAuthError("invalid_client", "Fixed text.", { detail: "unknown_client", headers });
  });
  fails("/problem", () => problemOf("two-live-secrets", { detail: "Fixed." }));
  fails("/busy", () => problemOf(503, { reason: "queue_full" }));
  fails("/database", () => new DatabaseUnavailable({ cause: new Error(CANARY) }));
  fails("/foreign", () => Object.assign(new Error(CANARY), { status: 404, expose: true }));
  fails("/exposing", () => Object.assign(new Error(CANARY), { headers: { "X-Leak": CANARY } }));
  fails("/string", () => CANARY);
  fails("/nothing", () => undefined);
  router.get("/bigint", (ctx) => {
    ctx.body = { number: 1n };
  });
  router.get("/header", (ctx) => {
    ctx.set("X-Thing", "a\r\nb");
  });
  router.get("/strange-body", (ctx) => {
    ctx.body = new (class {
      toJSON() {
        throw new Error(CANARY);
      }
    })();
  });
  router.get("/begun", (ctx) => {
    ctx.set({ ETag: '"1"', "Cache-Control": "public", RateLimit: "r=1" });
    ctx.body = "half an answer";
    throw problemOf(403);
  });
  router.get("/broken-stream", (ctx) => {
    ctx.body = Readable.from(failingParts());
  });
  router.get("/raw", async (ctx) => {
    const res = ctx.res.writeHead(200, { "Content-Length": "99" });
    await promisify(res.write.bind(res) as (part: string, done: () => void) => void)("first part");
    throw new Error(CANARY);
  });
  router.get("/silent", () => {});
  router.get("/empty", (ctx) => {
    ctx.status = 200;
  });
}

async function* failingParts() {
  yield "first part";
  throw new Error(CANARY);
}

const SERVER_ERROR = "The server met an unexpected condition.";
const UNEXPECTED = [
  "/foreign",
  "/exposing",
  "/string",
  "/nothing",
  "/bigint",
  "/header",
  "/strange-body",
];

describe.each(["oauth", "problem"])("in the format %s", (format) => {
  let server: AppServer;
  beforeAll(async () => {
    server = await startAppServer({
      format: format === "oauth" ? OAUTH_FORMAT : OAUTH_PROBLEM_FORMAT,
      addRoutes: addFailures,
    });
  });
  afterAll(() => server.stop());

  async function get(path: string) {
    const response = await fetch(server.url + path);
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  const body = (oauth: object, problem: object) => (format === "oauth" ? oauth : problem);

  test.each(UNEXPECTED)(
    "H8: %s is answered with a fixed sentence, and logged once",
    async (path) => {
      const before = server.lines.length;
      const { status, headers, text } = await get(path);
      expect(status).toBe(500);
      expect(JSON.parse(text)).toEqual(
        body(
          { error: "server_error", error_description: SERVER_ERROR },
          { type: "urn:daykey:problem:server-error", title: SERVER_ERROR, status: 500 },
        ),
      );
      expect([...headers].join()).not.toContain("canary");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      const lines = server.lines.slice(before);
      expect(lines.filter(({ level }) => level === "error")).toHaveLength(1);
      expect(JSON.stringify(lines)).not.toContain("canary");
    },
  );

  test("an OAuthError tells its code and description, and the log its detail", async () => {
    const { status, headers, text } = await get("/oauth");
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe('Basic realm="x"');
    expect(JSON.parse(text)).toEqual(
      body(
        { error: "invalid_client", error_description: "Fixed text." },
        { type: "urn:daykey:problem:invalid-client", title: "Fixed text.", status: 401 },
      ),
    );
    expect(server.lines.at(-1)).toMatchObject({
      level: "info",
      route: "/oauth",
      status: 401,
      error: "invalid_client",
      reason: "unknown_client",
    });
  });

  test("a ProblemError tells its type, title and detail", async () => {
    const { status, headers, text } = await get("/problem");
    expect(status).toBe(409);
    expect(headers.get("content-type")).toBe(
      format === "oauth" ? "application/json; charset=utf-8" : "application/problem+json",
    );
    expect(headers.get("pragma")).toBe(format === "oauth" ? "no-cache" : null);
    expect(JSON.parse(text)).toEqual(
      body(
        { error: "invalid_request", error_description: "Fixed." },
        {
          type: "urn:daykey:problem:two-live-secrets",
          title: "The client has two live secrets; revoke one first",
          status: 409,
          detail: "Fixed.",
        },
      ),
    );
  });

  test("D4: an unavailable database is 503 with Retry-After", async () => {
    const { status, headers, text } = await get("/database");
    expect([status, headers.get("retry-after")]).toEqual([503, "1"]);
    const description = "The server cannot answer now. Try again.";
    expect(JSON.parse(text)).toEqual(
      body(
        { error: "temporarily_unavailable", error_description: description },
        { type: "urn:daykey:problem:temporarily-unavailable", title: description, status: 503 },
      ),
    );
  });

  test("a foreseen 5xx is told in the request's line alone", async () => {
    const before = server.lines.length;
    await get("/busy");
    expect(server.lines.slice(before)).toMatchObject([{ status: 503, reason: "queue_full" }]);
  });

  test("what described the abandoned answer is gone, other headers stay", async () => {
    const { headers } = await get("/begun");
    const names = ["etag", "cache-control", "ratelimit"];
    expect(names.map((name) => headers.get(name))).toEqual([null, "no-store", "r=1"]);
  });

  test.each(["/broken-stream", "/raw"])(
    "H8: %s, which fails midway, ends the connection and adds nothing",
    async (path) => {
      const raw = await server.exchange(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect(raw).toMatch(/first part(\r\n)?$/);
    },
  );

  test("a route that answers nothing is 404, in the format; one that sets a status has no body", async () => {
    const silent = await get("/silent");
    expect([silent.status, JSON.parse(silent.text)]).toEqual([
      404,
      body(
        { error: "invalid_request", error_description: "Not Found" },
        { type: "about:blank", title: "Not Found", status: 404 },
      ),
    ]);
    expect(await get("/empty")).toMatchObject({ status: 200, text: "" });
  });
});
