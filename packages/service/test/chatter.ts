/** A process that logs more than a pipe holds, says over IPC that it goes on, then stops. */
import { createLog } from "../src/observe/log.ts";
import { runUntilSignal } from "../src/process/lifecycle.ts";

const log = createLog({ name: "chatter", level: "info" });
runUntilSignal({ stop: () => Promise.resolve(), log });
const filling = "x".repeat(400);
for (let line = 0; line < 20_000; line += 1) log.info({ filling }, "chatter");
setImmediate(() => {
  process.send?.("still running");
  setTimeout(() => process.kill(process.pid, "SIGTERM"), 100);
});
