/** The clients of `npm start`, with their files in its home, for as long as it runs. */
import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import type { CredentialFile } from "@daykey/auth-server/registration/credential-file";
import type { Clock } from "@daykey/common/clock";
import type { LocalConfig } from "./config.ts";
import { type FirstClient, openFirstClients } from "./first-clients.ts";
import type { Home } from "./home.ts";

/** How often it is seen whether a secret ends. */
const EVERY_SECONDS = 3600;

interface Options {
  databaseUrl: string;
  config: LocalConfig;
  home: Home;
  clock: Clock;
}

export interface HomeClients {
  server: FirstClient;
  demo: FirstClient;
  stop(): Promise<void>;
}

/**
 * Makes or mends them, and renews their secrets in time while this runs. The resource-server reads its
 * file again by itself.
 * @param options.print is told of new secrets, and of what an operator has to do
 */
export async function keepHomeClients({
  databaseUrl,
  config: { issuer, resource, ports },
  home,
  clock,
  print,
  everySeconds = EVERY_SECONDS,
}: Options & { print: (line: string) => void; everySeconds?: number }): Promise<HomeClients> {
  const place = { issuer, resource };
  const masterKey = (await readFile(home.masterKeyFile, "utf8")).trim();
  const clients = await openFirstClients({
    databaseUrl,
    masterKey,
    place,
    daykey: "npx daykey",
    clock,
  });

  async function ensure(): Promise<{ server: FirstClient; demo: FirstClient }> {
    const adminUrl = `http://127.0.0.1:${ports.AUTH_PRIVATE_PORT}`;
    if (!(await clients.ensureAdmin(home.adminFile, adminUrl))) {
      print("No client can administrate; npm start -- --recover-admin makes one that can.");
    }
    const server = await clients.ensureResourceServer(home.resourceServerFile);
    const demo = await clients.ensureDemo(home.demoFile);
    for (const path of clients.renewed.splice(0)) {
      print(`  a new secret     in ${relative(process.cwd(), path)}`);
    }
    return { server, demo };
  }

  const first = await ensure().catch(async (error: unknown) => {
    await clients.close();
    throw error;
  });
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = running.then(ensure).catch((error: unknown) => {
      print(`Secrets could not be renewed, which is tried again: ${String(error)}`);
    });
  }, everySeconds * 1000);
  return {
    ...first,
    async stop() {
      clearInterval(timer);
      await running;
      await clients.close();
    },
  };
}

/** Makes or mends them once. Returns the demo client's credential file. */
export async function ensureHomeClients(options: Options): Promise<CredentialFile> {
  const { demo, stop } = await keepHomeClients({ ...options, print: () => {} });
  await stop();
  return demo.credential;
}
