/** Two auth-servers as real processes over one database, with the demo client. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { CredentialFile } from "@daykey/auth-server/registration/credential-file";
import { hashPrimitives } from "@daykey/auth-server/clients/verifiers";
import { PATHS } from "@daykey/common/protocol";
import { dayFormHash, kidOfSecret, oneTimeHash } from "@daykey/common/secret-hash";
import { readConfig } from "@daykey/local/config";
import { openHome } from "@daykey/local/home";
import { ensureHomeClients } from "@daykey/local/home-clients";
import { startServerProcess, type ServerProcess } from "@daykey/local/server-process";
import { freePorts } from "@daykey/service/test/free-ports";
import type { Place } from "./stack.ts";

const MAIN = new URL("../../auth-server/src/main.ts", import.meta.url);
const clock = (): number => Date.now() / 1000;

export interface TokenAnswer {
  status: number;
  body: Record<string, string>;
}

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export interface AuthServerPair {
  issuer: string;
  resource: string;
  /** The URL of server 0 or 1, which is not the issuer's. */
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
  /** A token request of the demo client by a new one-time hash. */
  oneTimeForm(): Promise<Record<string, string>>;
  /** The same as `authenticated` to another path. */
  post(server: number, path: string, form: Record<string, string>): Promise<Answer>;
  killServer(server: number): Promise<void>;
  /** Lets it finish what it has begun. */
  stopServer(server: number): Promise<void>;
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
  const demo = await ensureHomeClients({ databaseUrl: databaseUrl(), config, home, clock });

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
        REQUESTS_PER_ADDRESS: "0",
        ...env,
      },
    });
  }
  await startServer(0);
  await startServer(1);

  async function send(server: number, path: string, form: Record<string, string>): Promise<Answer> {
    const body = new URLSearchParams(form);
    const response = await fetch(url(server) + path, { method: "POST", body });
    const text = await response.text();
    const json = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { status: response.status, body: json };
  }

  async function post(server: number, path: string, form: Record<string, string>): Promise<Answer> {
    const secret = { root: demo.client_secret, salt: demo.salt };
    return send(server, path, {
      client_id: demo.client_id,
      client_secret_hash: await dayFormHash(hashPrimitives, secret, clock()),
      ...form,
    });
  }

  return {
    issuer: config.issuer,
    resource: config.resource,
    url,
    demo,
    resourceServerFile: home.resourceServerFile,
    logFile: home.logFile,
    token: async (server, form) => (await send(server, PATHS.token, form)) as TokenAnswer,
    authenticated: async (server, form) => (await post(server, PATHS.token, form)) as TokenAnswer,
    async oneTimeForm() {
      const { client_id, client_secret, salt, issuer } = demo;
      const secret = { root: client_secret, salt, kid: kidOfSecret(client_secret) ?? "" };
      const client_secret_hash = await oneTimeHash(hashPrimitives, secret, {
        issuer,
        clientId: client_id,
        epochSeconds: clock(),
        nonce: randomBytes(16),
      });
      return { grant_type: "client_credentials", client_id, client_secret_hash };
    },
    post,
    async stopServer(server) {
      await processes[server]?.stop();
      processes[server] = undefined;
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
