/** Two auth-servers as real processes over one database, with the demo client. */
import { join } from "node:path";
import type { CredentialFile } from "@daykey/auth-server/clients/credential-file";
import { hashPrimitives } from "@daykey/auth-server/clients/secrets";
import { dayFormHash } from "@daykey/common/secret-hash";
import { readConfig } from "@daykey/local/config";
import { ensureFirstClients } from "@daykey/local/first-clients";
import { openHome } from "@daykey/local/home";
import { startServerProcess, type ServerProcess } from "@daykey/local/server-process";
import { freePorts, type Place } from "./stack.ts";

const MAIN = new URL("../../auth-server/src/main.ts", import.meta.url);
const clock = (): number => Date.now() / 1000;

export interface TokenAnswer {
  status: number;
  body: Record<string, string>;
}

export interface AuthServerPair {
  issuer: string;
  resource: string;
  /** Of server 0 or 1, which is not the issuer's. */
  url(server: number): string;
  demo: CredentialFile;
  /** Where the resource-server's credential file is. */
  resourceServerFile: string;
  /** A path for a log of a further process. */
  logFile(name: string): string;
  /** POST /oauth2/token to server 0 or 1. */
  token(server: number, form: Record<string, string>): Promise<TokenAnswer>;
  /** With the demo client's day form. */
  authenticated(server: number, form: Record<string, string>): Promise<TokenAnswer>;
  killServer(server: number): Promise<void>;
  startServer(server: number): Promise<void>;
  /** All that both servers have written. */
  logs(): Promise<string>;
  stop(): Promise<void>;
}

/**
 * @param options.databaseUrl of a migrated database, for the role that serves, whenever a server starts
 * @param options.env settings of both
 */
export async function startAuthServerPair({
  place,
  databaseUrl,
  env = {},
}: {
  place: Place;
  databaseUrl: () => string;
  env?: Record<string, string>;
}): Promise<AuthServerPair> {
  const config = readConfig(place.env);
  const home = await openHome(place.home);
  const ports = await freePorts(4);
  const url = (server: number): string => `http://127.0.0.1:${ports[server * 2]}`;
  const processes: (ServerProcess | undefined)[] = [];
  const demo = await ensureFirstClients({ databaseUrl: databaseUrl(), config, home, clock });

  async function startServer(server: number): Promise<void> {
    const privatePort = Number(ports[server * 2 + 1]);
    processes[server] = await startServerProcess({
      name: "auth-server",
      main: MAIN,
      privatePort,
      logFile: join(place.home, `auth-server-${server}.log`),
      env: {
        ISSUER: config.issuer,
        DATABASE_URL: databaseUrl(),
        MASTER_KEY_FILE: home.masterKeyFile,
        HOST: "127.0.0.1",
        PORT: String(ports[server * 2]),
        PRIVATE_PORT: String(privatePort),
        BAD_CREDENTIALS_PER_MINUTE: "100000",
        ...env,
      },
    });
  }
  await startServer(0);
  await startServer(1);

  async function token(server: number, form: Record<string, string>): Promise<TokenAnswer> {
    const body = new URLSearchParams(form);
    const response = await fetch(`${url(server)}/oauth2/token`, { method: "POST", body });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  }

  return {
    issuer: config.issuer,
    resource: config.resource,
    url,
    demo,
    resourceServerFile: home.resourceServerFile,
    logFile: home.logFile,
    token,
    async authenticated(server, form) {
      const secret = { root: demo.client_secret, salt: demo.salt };
      return token(server, {
        client_id: demo.client_id,
        client_secret_hash: await dayFormHash(hashPrimitives, secret, clock()),
        ...form,
      });
    },
    async killServer(server) {
      processes[server]?.kill();
      await processes[server]?.ended;
      processes[server] = undefined;
    },
    startServer,
    async logs() {
      return (await place.file("auth-server-0.log")) + (await place.file("auth-server-1.log"));
    },
    async stop() {
      await Promise.all(processes.map(async (server) => server?.stop()));
    },
  };
}
