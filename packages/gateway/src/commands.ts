/** The gateway's commands, as its process runs them. */
import { runCommandLine } from "@daykey/service/process/command-line";
import { runServer } from "@daykey/service/process/run-server";
import {
  describeConfig,
  describeEgressConfig,
  readConfig,
  readEgressConfig,
  readFile,
} from "./config.ts";
import { createEgress } from "./egress.ts";
import { createGateway } from "./server.ts";
import { checkFile } from "./check-file.ts";

const USAGE = `Usage: daykey-gateway [serve | egress | --check <file>]

  serve     answer proxies that ask whether a request may pass (the default)
  egress    pass requests on to named upstreams, each with an access token
  --check   read a routes file or an upstreams file, tell its faults, then end

Settings come from the environment; NAME[_FILE] may also name a file that holds the value.

serve:

${describeConfig()}

egress:

${describeEgressConfig()}
`;

const clock = (): number => Date.now() / 1000;

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const start = createGateway.bind(undefined, config);
  await runServer({ name: "gateway", config, clock, start });
}

async function egress(): Promise<void> {
  const config = readEgressConfig(process.env);
  const start = createEgress.bind(undefined, config);
  await runServer({ name: "gateway-egress", config, clock, start });
}

const argv = process.argv.slice(2);
const [command, file] = argv;
const isCheck = command === "--check" && argv.length === 2;
await runCommandLine({
  argv: isCheck ? [command] : argv,
  commands: {
    serve,
    egress,
    ...(isCheck && {
      "--check": async () => {
        process.stdout.write(checkFile(readFile("--check", file ?? ""), file ?? ""));
      },
    }),
  },
  usage: USAGE,
});
