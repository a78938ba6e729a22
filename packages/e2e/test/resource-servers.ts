/** Two resource-servers as real processes, each fed by an auth-server of its own. */
import { setTimeout as sleep } from "node:timers/promises";
import { type ServerProcess, startServerProcess } from "@daykey/local/server-process";
import { dayFormHash } from "@daykey/common/secret-hash";
import { hashPrimitives } from "@daykey/auth-server/clients/verifiers";
import { freePorts } from "@daykey/service/test/free-ports";
import type { TwoServers } from "./two-servers.ts";

const MAIN = new URL("../../resource-server/src/main.ts", import.meta.url);

export interface ResourceServers {
  /** The status of `GET /time` at server 0 or 1. */
  time(server: number, token: string): Promise<number>;
  start(server: number): Promise<void>;
  kill(server: number): Promise<void>;
  stop(): Promise<void>;
}

/** @param env settings of each */
export async function startResourceServers(
  auth: TwoServers,
  env: readonly Record<string, string>[] = [],
): Promise<ResourceServers> {
  const ports = await freePorts(4);
  const processes: (ServerProcess | undefined)[] = [];

  async function start(server: number): Promise<void> {
    const privatePort = Number(ports[server * 2 + 1]);
    processes[server] = await startServerProcess({
      name: "resource-server",
      main: MAIN,
      privatePort,
      logFile: auth.logFile(`resource-server-${server}`),
      env: {
        RESOURCE: auth.resource,
        ISSUER: auth.issuer,
        RESOURCE_CREDENTIAL_FILE: auth.resourceServerFile,
        AUTH_SERVER_URL: auth.url(server),
        HOST: "127.0.0.1",
        PORT: String(ports[server * 2]),
        PRIVATE_PORT: String(privatePort),
        PRIME_THREADS: "1",
        ...env[server],
      },
    });
  }
  await start(0);
  await start(1);

  return {
    async time(server, token) {
      const response = await fetch(`http://127.0.0.1:${ports[server * 2]}/time`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      await response.arrayBuffer();
      return response.status;
    },
    start,
    async kill(server) {
      processes[server]?.kill();
      await processes[server]?.ended;
    },
    async stop() {
      await Promise.all(processes.map(async (server) => server?.stop()));
    },
  };
}

/** RFC 7009 at server 0 or 1, by the demo client. @throws unless it says 200 */
export async function revoke(auth: TwoServers, server: number, token: string): Promise<void> {
  const { client_id, client_secret, salt } = auth.demo;
  const secret = { root: client_secret, salt };
  const client_secret_hash = await dayFormHash(hashPrimitives, secret, Date.now() / 1000);
  const body = new URLSearchParams({ token, client_id, client_secret_hash });
  const { status } = await fetch(`${auth.url(server)}/oauth2/revoke`, { method: "POST", body });
  if (status !== 200) throw new Error(`/oauth2/revoke said ${status}`);
}

/** A new grant's access token, by the demo client. */
export async function openGrant(auth: TwoServers): Promise<string> {
  const { body } = await auth.authenticated(0, { grant_type: "client_credentials" });
  return body["access_token"] ?? "";
}

/**
 * Seconds from the answer of a revocation at auth-server 0 until each resource-server refuses the token.
 * @throws when one of them did not serve it before, or answers anything but 200 and 401
 */
export async function secondsToRefusal(auth: TwoServers, api: ResourceServers): Promise<number[]> {
  const token = await openGrant(auth);
  for (const server of [0, 1]) {
    const status = await api.time(server, token);
    if (status !== 200) throw new Error(`resource-server ${server} said ${status} before`);
  }
  await revoke(auth, 0, token);
  const revokedAt = performance.now();
  return Promise.all(
    [0, 1].map(async (server) => {
      for (;;) {
        const status = await api.time(server, token);
        if (status === 401) return (performance.now() - revokedAt) / 1000;
        if (status !== 200) throw new Error(`resource-server ${server} said ${status}`);
        await sleep(1);
      }
    }),
  );
}

/** The value that this part of the values does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * part) - 1] ?? Number.NaN;
}
