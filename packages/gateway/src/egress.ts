/**
 * `daykey-gateway egress`: `/<name>/…` here is `/…` at the upstream of that name, with an access token that
 * this process fetches, holds and renews. Whoever reaches it may use the tokens; so it listens on loopback,
 * and refuses browsers.
 */
import { readFile } from "node:fs/promises";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isIP } from "node:net";
import { fromCredentialFile } from "@daykey/client/internal/credential-file";
import { type PrivateJwk, privateKeyJwt } from "@daykey/client/internal/private-key-jwt";
import { createTokenSource, type TokenSource } from "@daykey/client/internal/token-source";
import { isTrusted, createTrustedProxies } from "@daykey/service/http/address";
import { PROBLEM_FORMAT } from "@daykey/service/http/errors";
import { measureHealth } from "@daykey/service/observe/measure";
import { createMetrics } from "@daykey/service/observe/metrics";
import { createPrivateApp } from "@daykey/service/process/private-app";
import { createHealth } from "@daykey/service/process/health";
import { type Listeners, startListeners } from "@daykey/service/process/lifecycle";
import type { Surroundings } from "@daykey/service/process/run-server";
import type { EgressConfig } from "./config.ts";
import { createForwarder, type Upstream } from "./forward.ts";
import { readUpstreamsFile, type UpstreamEntry } from "./upstreams-file.ts";

/** An upload may take its time; one that stands still is ended before. */
const REQUEST_SECONDS = 3600;
/** Connections to one upstream. */
const MAX_SOCKETS = 256;

/**
 * Starts the proxy.
 * @throws {FileError}; {DaykeyError} `credential` for a file that is none; {ListenError}
 */
export async function createEgress(
  config: EgressConfig,
  { log }: Pick<Surroundings, "log">,
): Promise<Listeners> {
  const entries = readUpstreamsFile(config.upstreams, { name: config.upstreamsFile });
  const upstreams = new Map<string, Upstream>();
  for (const [name, entry] of entries) upstreams.set(name, await upstreamOf(name, entry));

  const metrics = createMetrics({ name: "gateway-egress" });
  const count = metrics.counter({
    name: "egress_requests_total",
    help: "Requests by upstream and the status that was answered",
    labels: ["upstream", "status"],
  });
  const countFault = metrics.counter({
    name: "egress_faults_total",
    help: "Requests that the proxy itself refused or could not carry out, by reason",
    labels: ["upstream", "reason"],
    // What the alert rules of deploy/prometheus read.
    from: Array.from(upstreams.keys(), (upstream) => ({ upstream, reason: "no_token" })),
  });
  const health = createHealth();
  measureHealth(metrics, health);
  const trustedProxies = createTrustedProxies([]);
  const { host } = config.public;
  const isLocal = host === "localhost" || isLoopback(host);
  const listeners = await startListeners({
    public: {
      ...config.public,
      setting: "PORT",
      app: createForwarder({
        upstreams,
        isLocal,
        log,
        count({ upstream = "none", status, reason }) {
          count({ upstream, status: String(status) });
          if (reason !== undefined) countFault({ upstream, reason });
        },
      }),
    },
    private: {
      ...config.private,
      setting: "PRIVATE_PORT",
      app: createPrivateApp("Daykey egress", {
        log,
        trustedProxies,
        errorFormat: PROBLEM_FORMAT,
        metrics,
        health,
      }),
    },
    health,
    log,
    trustedProxies,
    limits: { idleSeconds: config.keepAliveSeconds, requestSeconds: REQUEST_SECONDS },
    stopDelaySeconds: config.stopDelaySeconds,
  });
  return {
    ...listeners,
    async stop() {
      await listeners.stop();
      for (const { agent, tokens } of upstreams.values()) {
        agent.destroy();
        tokens.close();
      }
    },
  };
}

function isLoopback(host: string): boolean {
  return isIP(host) !== 0 && isTrusted(host, createTrustedProxies(["127.0.0.0/8", "::1"]));
}

async function upstreamOf(name: string, entry: UpstreamEntry): Promise<Upstream> {
  const base = new URL(entry.url);
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS };
  return {
    name,
    base,
    agent: base.protocol === "https:" ? new HttpsAgent(options) : new HttpAgent(options),
    tokens: await tokensOf(entry),
    timeoutSeconds: entry.timeout_seconds,
  };
}

async function tokensOf(entry: UpstreamEntry): Promise<TokenSource> {
  const { method, issuer, client_id: clientId } = entry;
  const shared = {
    scope: entry.scope,
    allowInsecureRequests: entry.allow_http,
    ...(entry.resource !== undefined && { resource: entry.resource }),
  };
  const read = (): Promise<string> => readFile(entry.credential, "utf8");
  if (method !== "private_key_jwt") return fromCredentialFile(read, { ...shared, method });
  if (issuer === undefined || clientId === undefined)
    throw new TypeError("private_key_jwt: no issuer");
  const key = async (): Promise<PrivateJwk> => JSON.parse(await read()) as PrivateJwk;
  return createTokenSource({ ...shared, issuer, credential: privateKeyJwt({ clientId, key }) });
}
