/**
 * A server process for tests. It tells its port over IPC; `/waits` answers once it is told "finish",
 * and "throw" and "reject" make it fail. With the argument `fails-to-stop`
 * stopping it throws, and with `hangs-at-stop` it never ends.
 */
import { PROBLEM_FORMAT } from "../src/http/errors.ts";
import { createTrustedProxies } from "../src/http/address.ts";
import { createApp } from "../src/http/app.ts";
import { createHealth } from "../src/process/health.ts";
import { runUntilSignal, startListeners } from "../src/process/lifecycle.ts";
import { createLog } from "../src/observe/log.ts";
import { createRouter } from "../src/http/router.ts";

const log = createLog({ name: "test", level: "info" });
const health = createHealth();
const trustedProxies = createTrustedProxies([]);
const finish = Promise.withResolvers<void>();
const router = createRouter();
router.get("/waits", async (ctx) => {
  process.send?.("begun");
  await finish.promise;
  ctx.body = "finished";
});
process.on("message", (message) => {
  if (message === "finish") finish.resolve();
  if (message === "throw") throw new Error("canary");
  if (message === "reject") void Promise.reject(new Error("canary"));
});

const shared = { log, trustedProxies, errorFormat: PROBLEM_FORMAT } as const;
const endpoint = { app: createApp({ ...shared, routers: [router] }), host: "127.0.0.1", port: 0 };
const listeners = await startListeners({
  public: endpoint,
  private: endpoint,
  health,
  log,
  trustedProxies,
});
runUntilSignal({
  log,
  stopSeconds: 1,
  async stop() {
    await listeners.stop();
    if (process.argv.includes("fails-to-stop")) throw new Error("canary");
    if (process.argv.includes("hangs-at-stop")) await new Promise(() => {});
  },
});
process.send?.(listeners.publicPort);
