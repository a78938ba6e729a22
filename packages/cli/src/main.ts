/** `daykey`: the process it runs in, and nothing else. */
import { createProfileStore } from "./profile.ts";
import { EXIT } from "./exit.ts";
import { run } from "./run.ts";
import { createTerminal } from "./terminal.ts";

const { env, stdin, stdout, stderr } = process;
const terminal = createTerminal({ stdin, stdout, stderr, env });

// Whoever reads the output has gone, as in `daykey audit tail | head`.
stdout.on("error", () => process.exit(EXIT.ok));
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    terminal.clear();
    if (stderr.isTTY) stderr.write("\n");
    process.exit(EXIT.interrupted);
  });
}

process.exitCode = await run(process.argv.slice(2), {
  terminal,
  env,
  cwd: process.cwd(),
  clock: () => Date.now() / 1000,
  wait: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
  store: createProfileStore(env),
});
