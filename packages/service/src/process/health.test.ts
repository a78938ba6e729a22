import { afterEach, expect, test } from "vitest";

import { PROBLEM_FORMAT } from "../http/errors.ts";
import { createTestLog } from "../../test/log.ts";
import { createTrustedProxies } from "../http/address.ts";
import { createApp } from "../http/app.ts";
import { createHealth, type Health } from "./health.ts";
import { type Listeners, startListeners } from "./lifecycle.ts";

let listeners: Listeners;
afterEach(() => listeners.stop());

async function start(health: Health) {
  const { log } = createTestLog();
  const trustedProxies = createTrustedProxies([]);
  const app = createApp({
    log,
    trustedProxies,
    errorFormat: PROBLEM_FORMAT,
    routers: [health.router],
  });
  const endpoint = { app, host: "127.0.0.1", port: 0 };
  listeners = await startListeners({
    public: endpoint,
    private: endpoint,
    health,
    log,
    trustedProxies,
  });
  return async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${listeners.publicPort}${path}`);
    return { status: response.status, body: await response.json() };
  };
}

test("a server is ready while all of its checks pass, and names those that do not", async () => {
  const health = createHealth();
  const get = await start(health);
  const faults: { database?: string } = {};
  health.addCheck("database", () => faults.database);
  health.addCheck("keys", () => undefined);
  expect(await get("/readyz")).toEqual({ status: 200, body: { status: "ready" } });
  faults.database = "unreachable";
  expect(await get("/readyz")).toEqual({
    status: 503,
    body: { status: "not ready", faults: { database: "unreachable" } },
  });
  expect(await get("/livez")).toEqual({ status: 200, body: { status: "alive" } });
});

test("a draining server is alive and not ready, and tells what lives long to end", async () => {
  const health = createHealth();
  const get = await start(health);
  health.draining();
  expect(await get("/readyz")).toEqual({
    status: 503,
    body: { status: "not ready", faults: { server: "stopping" } },
  });
  expect(await get("/livez")).toMatchObject({ status: 200 });
  expect(health.stopping.aborted).toBe(true);
});
