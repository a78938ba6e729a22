/** `daykey`: the process it runs in, and nothing else. */
import { isatty } from "node:tty";
import { createProfileStore } from "./profile.ts";
import { EXIT } from "./exit.ts";
import { run } from "./run.ts";
import { createTerminal } from "./terminal.ts";

const { env, stdin } = process;
const stdout = { fd: 1, isTTY: isatty(1), columns: () => process.stdout.columns };
const stderr = { fd: 2, isTTY: isatty(2) };
const terminal = createTerminal({ stdin, stdout, stderr, env });

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    terminal.clear();
    if (stderr.isTTY) terminal.note("");
    process.exit(EXIT.interrupted);
  });
}

process.exitCode = await run(process.argv.slice(2), {
  terminal,
  env,
  cwd: process.cwd(),
  clock: () => Date.now() / 1000,
  wait: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
  store: createProfileStore(env, process.getuid?.()),
});
