/** All measurements, one after another: which servers stand beside each other, and for how long. */
import type { EmbeddedPostgres } from "@daykey/local/embedded-postgres";
import type { SigningAlgorithm } from "@daykey/common/protocol";
import type { ServerCore } from "./cores.ts";
import { type AuthServer, startAuthServer, startGateway, startResourceServer } from "./daykey.ts";
import { type Growth, measureGrowth } from "./growth.ts";
import { type Latency, measureLatency } from "./latency.ts";
import { startOidcProvider, startValidator } from "./peers.ts";
import { measurePrimes, type PrimeRow } from "./primes.ts";
import { compareRotations } from "./rotation-process.ts";
import { compare, type Contender, type Measured, median, type Plan } from "./rounds.ts";
import { refreshScripts } from "./scripts.ts";
import type { ServerProcess } from "./server-process.ts";
import { daykeyTokens, introspections, oidcTokens, treeToken } from "./tokens.ts";
import { accessTokens, boundValidations, gatewayChecks, validations } from "./validations.ts";

/** How much is done. */
export interface Effort extends Plan {
  algorithms: readonly SigningAlgorithm[];
  latency: { rounds: number; seconds: number };
  growthTokens: number;
  primeBits: readonly number[];
  primesEach: number;
  starts: number;
}

export const FULL: Effort = {
  rounds: 7,
  seconds: 1.5,
  warmUpSeconds: 2,
  algorithms: ["ES256", "Ed25519", "RS256"],
  latency: { rounds: 5, seconds: 3 },
  growthTokens: 100_000,
  primeBits: [64, 256, 512, 1024, 2048],
  primesEach: 15,
  starts: 5,
};

export const QUICK: Effort = {
  rounds: 1,
  seconds: 0.1,
  warmUpSeconds: 0.05,
  algorithms: ["ES256"],
  latency: { rounds: 1, seconds: 0.2 },
  growthTokens: 400,
  primeBits: [64, 256],
  primesEach: 2,
  starts: 1,
};

export interface Start {
  name: string;
  seconds: number;
  rssBytes: number;
}

export interface Measurements {
  tokens: Measured[];
  rotations: Measured[];
  refreshes: Measured[];
  introspections: Measured[];
  validations: Measured[];
  latencies: Latency[];
  primes: PrimeRow[];
  growth: Growth;
  starts: Start[];
}

export async function measureAll({
  cluster,
  core,
  effort,
  tell,
}: {
  cluster: EmbeddedPostgres;
  core: ServerCore;
  effort: Effort;
  /** Told in a few words what is measured next. */
  tell(what: string): void;
}): Promise<Measurements> {
  tell("starting the servers");
  const auths = await Promise.all(
    effort.algorithms.map((algorithm) => startAuthServer({ cluster, algorithm, core })),
  );
  const [auth] = auths;
  if (!auth) throw new TypeError("no algorithm");
  const [oidc, oidcDurable, resourceServer, silent, gateway, validators] = await Promise.all([
    startOidcProvider(core),
    startOidcProvider(core, cluster.url("postgres", "postgres")),
    startResourceServer(auth, core),
    startResourceServer(auth, core, { LOG_LEVEL: "warn" }),
    startGateway(auth, core),
    startValidators(auths, core),
  ]);

  tell("tokens");
  const ofDaykey = (await Promise.all(auths.map(daykeyTokens))).flat();
  const formats = effort.algorithms.map((name) => (name === "Ed25519" ? "EdDSA" : name));
  const ofOidc = formats.map((format) => oidcTokens(oidc, format));
  const tokens = await compare([...ofDaykey, ...ofOidc, oidcTokens(oidcDurable, "opaque")], effort);

  tell("refresh rotations");
  const { database } = auth;
  const rotations = await compareRotations({ cluster, database, core, plan: effort });
  const refreshing: Contender = {
    name: "Daykey, POST /oauth2/token, ES256",
    server: auth.server,
    port: auth.server.port,
    scripts: await refreshScripts(auth),
  };
  const refreshes = await compare([refreshing], effort);

  tell("introspection");
  const introspected = await compare(await introspections(auth, [oidc, oidcDurable]), effort);

  tell("validations");
  const calling = await callingTime(
    auths,
    { logging: resourceServer, silent, gateway },
    validators,
  );
  const validated = await compare(calling, effort);

  tell("latency");
  const latencies: Latency[] = [];
  for (const contender of [ofDaykey[0], ofOidc[0], refreshing, ...calling.slice(0, 2)]) {
    if (contender) latencies.push(await measureLatency(contender, effort.latency));
  }

  tell("primes");
  const [token = ""] = await accessTokens(auth);
  const { primeBits: lengths, primesEach: count } = effort;
  const primes = await measurePrimes({ server: resourceServer, token, lengths, count });

  tell(`${effort.growthTokens} tokens`);
  const growth = await measureGrowth(auth, cluster, effort.growthTokens);

  tell("starts");
  const starts = [
    await measureStart("auth-server", effort.starts, auth.startAnother),
    await measureStart("resource-server", effort.starts, () => startResourceServer(auth, core)),
    await measureStart("node-oidc-provider", effort.starts, () => startOidcProvider(core)),
  ];

  return {
    tokens,
    rotations: [rotations.statement, rotations.transaction],
    refreshes,
    introspections: introspected,
    validations: validated,
    latencies,
    primes,
    growth,
    starts,
  };
}

interface Validators {
  express: { issuing: AuthServer; server: ServerProcess }[];
  fastify: ServerProcess;
  fastifyLogging: ServerProcess;
}

/** @param auths the first issues ES256 */
async function startValidators(
  auths: readonly AuthServer[],
  core: ServerCore,
): Promise<Validators> {
  const [auth] = auths;
  if (!auth) throw new TypeError("no algorithm");
  const express = auths
    // Its jose knows no `Ed25519` (RFC 9864).
    .filter(({ algorithm }) => algorithm !== "Ed25519")
    .map(async (issuing) => {
      const server = await startValidator("express-oauth2-jwt-bearer", issuing, core);
      return { issuing, server };
    });
  const fastify = startValidator("fastify-jwt", auth, core);
  const fastifyLogging = startValidator("fastify-jwt", auth, core, { LOGGING: "on" });
  return {
    express: await Promise.all(express),
    fastify: await fastify,
    fastifyLogging: await fastifyLogging,
  };
}

async function callingTime(
  auths: readonly AuthServer[],
  ours: { logging: ServerProcess; silent: ServerProcess; gateway: ServerProcess },
  { express, fastify, fastifyLogging }: Validators,
): Promise<Contender[]> {
  const [auth] = auths;
  if (!auth) throw new TypeError("no algorithm");
  const tokens = await accessTokens(auth);
  const trees = await Promise.all(tokens.map(async () => treeToken(auth, 4)));
  const contenders = [
    validations("Daykey's resource-server", ours.logging, tokens),
    validations("fastify, @fastify/jwt with its cache, logging", fastifyLogging, tokens),
    validations("Daykey's resource-server, not logging", ours.silent, tokens),
    validations("fastify, @fastify/jwt with its cache, not logging", fastify, tokens),
    validations("Daykey's resource-server, four grants above", ours.logging, trees),
    await boundValidations("ES256", auth, ours.logging),
    await boundValidations("Ed25519", auth, ours.logging),
    gatewayChecks("Daykey's gateway, asked by a proxy", ours.gateway, tokens),
  ];
  for (const { issuing, server } of express) {
    const name = `express, express-oauth2-jwt-bearer, ${issuing.algorithm}`;
    contenders.push(validations(name, server, await accessTokens(issuing)));
  }
  return contenders;
}

async function measureStart(
  name: string,
  count: number,
  start: () => Promise<ServerProcess>,
): Promise<Start> {
  const seconds: number[] = [];
  const rssBytes: number[] = [];
  for (let i = 0; i < count; i++) {
    const server = await start();
    seconds.push(server.startSeconds);
    rssBytes.push((await server.usage()).rssBytes);
    await server.stop();
  }
  return { name, seconds: median(seconds), rssBytes: median(rssBytes) };
}
