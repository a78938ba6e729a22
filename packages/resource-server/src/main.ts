/** The resource-server's entry. */
import { runCommandLine } from "@daykey/service/command-line";
import { runUntilSignal } from "@daykey/service/lifecycle";
import { createLog } from "@daykey/service/log";
import { describeConfig, readConfig } from "./config.ts";
import { createResourceServer } from "./server.ts";

const USAGE = `Usage: node packages/resource-server/src/main.ts [serve]

  serve     answer requests that bring a valid access token (the default)

Settings come from the environment; NAME[_FILE] may also name a file that holds the value.

${describeConfig()}
`;

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog({ name: "resource-server", level: config.logLevel });
  const server = await createResourceServer(config, { clock: () => Date.now() / 1000, log });
  runUntilSignal({ stop: server.stop, log });
}

await runCommandLine({ argv: process.argv.slice(2), commands: { serve }, usage: USAGE });
