/** The resource-server's entry. */
import { runCommandLine } from "@daykey/service/command-line";
import { STOP_SECONDS } from "@daykey/service/lifecycle";
import { createLog } from "@daykey/service/log";
import { runServer } from "@daykey/service/workers";
import { describeConfig, readConfig } from "./config.ts";
import { createResourceServer } from "./server.ts";

const USAGE = `Usage: node packages/resource-server/src/main.ts [serve]

  serve     answer requests that bring a valid access token (the default)

Settings come from the environment; NAME[_FILE] may also name a file that holds the value.

${describeConfig()}
`;

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const { workers, logLevel, stopDelaySeconds } = config;
  const log = createLog({ name: "resource-server", level: logLevel, isShared: workers > 1 });
  const clock = (): number => Date.now() / 1000;
  await runServer({
    workers,
    log,
    stopSeconds: stopDelaySeconds + STOP_SECONDS,
    start: (peers) => createResourceServer(config, { clock, log, peers }),
  });
}

await runCommandLine({ argv: process.argv.slice(2), commands: { serve }, usage: USAGE });
