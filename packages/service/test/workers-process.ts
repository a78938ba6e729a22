/**
 * An instance with two workers for tests. `/pid` says which of them answers and logs a long line, with
 * `?ms` after a while. What the file that WITH_FAULT names holds says what goes wrong in a worker that
 * starts: its settings, its start, a start that never ends, or one that is never ready; or that there is
 * no program to run.
 */
import cluster from "node:cluster";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PROBLEM_FORMAT } from "../src/http/errors.ts";
import { createTrustedProxies } from "../src/http/address.ts";
import { createApp } from "../src/http/app.ts";
import { runCommandLine } from "../src/process/command-line.ts";
import { ConfigError } from "../src/process/config.ts";
import { createHealth } from "../src/process/health.ts";
import { startListeners } from "../src/process/lifecycle.ts";
import { createMetrics } from "../src/observe/metrics.ts";
import { createRouter } from "../src/http/router.ts";
import { runServer, type Surroundings } from "../src/process/run-server.ts";

const filling = "x".repeat(2000);

function fault(): string {
  try {
    return readFileSync(process.env["WITH_FAULT"] ?? "", "utf8");
  } catch {
    return "";
  }
}

async function start({ log, peers }: Surroundings) {
  if (fault() === "start") throw new ConfigError(["a fault"]);
  if (fault() === "hang") await new Promise(() => setInterval(() => {}, 1000));
  const router = createRouter();
  router.get("/pid", async (ctx) => {
    await sleep(Number(ctx.query["ms"] ?? 0));
    log.info({ filling }, "filling");
    ctx.body = { pid: process.pid };
  });
  router.post("/hang", () => {
    for (;;);
  });
  const health = createHealth({ peers });
  if (fault() === "unready") health.addCheck("thing", () => "not there");
  const metrics = createMetrics({ name: "test", peers });
  const trustedProxies = createTrustedProxies([]);
  const shared = { log, trustedProxies, metrics, errorFormat: PROBLEM_FORMAT } as const;
  const host = "127.0.0.1";
  return startListeners({
    public: { app: createApp({ ...shared, routers: [router, health.router] }), host, port: 0 },
    private: {
      app: createApp({ ...shared, routers: [metrics.router, health.router] }),
      host,
      port: 0,
    },
    health,
    log,
    trustedProxies,
    stopDelaySeconds: 1,
    peers,
  });
}

const config = {
  workers: 2,
  stopDelaySeconds: 1,
  traces: undefined,
  logLevel: "info",
} as const;
const clock = (): number => Date.now() / 1000;
const serve = () => {
  if (fault() === "settings") throw new ConfigError(["a fault"]);
  const limits = { reloadSeconds: 4, beginSeconds: 15 };
  return runServer({ name: "test", config, clock, start, limits });
};
const { execPath } = process;
if (cluster.isPrimary) {
  Object.defineProperty(process, "execPath", {
    get: () => (fault() === "program" ? "/nowhere/node" : execPath),
  });
}
await runCommandLine({ argv: [], commands: { serve: async () => serve() }, usage: "" });
