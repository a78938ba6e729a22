/** The guard as others may put it up: for some clients, for all routes, with words of their own. */
import { problem } from "@daykey/service/http/problem-error";
import { createRouter } from "@daykey/service/http/router";
import { createTestLog } from "@daykey/service/test/log";
import { expect, onTestFinished, test } from "vitest";
import { serveRouters } from "../../test/serve-routers.ts";
import { type Access, InvalidCredential } from "@daykey/guard/access";
import { createCheck } from "@daykey/guard/check";
import { protect } from "@daykey/guard/koa";
import { createRefusals } from "@daykey/guard/refusals";
import { createRequireScope, type RequireScope } from "../guarded.ts";

/** Tokens are client ids. */
const authenticate = async (clientId: string): Promise<Access> => {
  if (clientId === "nobody") throw new InvalidCredential("unknown");
  return {
    via: "access_token",
    actors: [],
    clientId,
    subject: clientId,
    credential: "k",
    scope: ["read"],
    revocation: "feed",
    quotas: { client: [], key: [] },
  };
};

const check = createCheck({
  refusals: createRefusals("https://api.example", false),
  proofs: { require: () => Promise.resolve(), headers: () => ({}) },
  authenticators: { access_token: authenticate, api_key: authenticate },
  charge: () => Promise.resolve({ headers: {}, wouldRefuse: false }),
  count: () => undefined,
  log: createTestLog().log,
});
const ours = createRequireScope({ check });

async function serve(requireScope: RequireScope) {
  const router = createRouter();
  router.use(requireScope("read"));
  router.get("/all", (ctx) => void (ctx.body = {}));
  router.get("/some", requireScope("read", { only: ["billing", "cron"] }), (ctx) => {
    ctx.body = {};
  });
  const server = await serveRouters(router);
  onTestFinished(() => server.stop());
  return async (path: string, client: string) => {
    const headers = { authorization: `Bearer ${client}` };
    const response = await fetch(server.url + path, { headers });
    return [response.status, await response.json()];
  };
}

test("only named clients pass where a route says so", async () => {
  const get = await serve(ours);
  expect(await get("/some", "billing")).toEqual([200, {}]);
  expect(await get("/some", "cron")).toEqual([200, {}]);
  expect(await get("/all", "other")).toEqual([200, {}]);
  expect(await get("/some", "other")).toEqual([
    403,
    {
      type: "urn:daykey:problem:other-client",
      title: "This belongs to another client",
      status: 403,
    },
  ]);
});

test("one guard stands before all routes of a router", async () => {
  const get = await serve(ours);
  expect((await get("/all", "nobody"))[0]).toBe(401);
  expect((await get("/some", "nobody"))[0]).toBe(401);
});

test("who puts the guard up says how it refuses", async () => {
  const refuse = (): never => {
    throw problem(403, { title: "not authorized" });
  };
  const get = await serve((scope, options) => protect({ check }, scope, { ...options, refuse }));
  expect(await get("/all", "nobody")).toEqual([
    403,
    { type: "about:blank", title: "not authorized", status: 403 },
  ]);
});
