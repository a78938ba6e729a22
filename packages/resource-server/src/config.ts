/** The resource-server's settings: read once from the environment, printed by `--help`. */
import { PATHS, SIGNING_ALGORITHMS, type SigningAlgorithm } from "@daykey/common/protocol";
import { isNetwork } from "@daykey/service/address";
import {
  choice,
  describeSettings,
  integer,
  list,
  readSettings,
  seconds,
  text,
  url,
} from "@daykey/service/config";
import { LOG_LEVELS, type LogLevel } from "@daykey/service/log";

const isAlgorithm = (name: string): name is SigningAlgorithm =>
  SIGNING_ALGORITHMS.some((known) => known === name);

const DEFINITIONS = {
  RESOURCE: url({ description: "This server's public address, the audience of its tokens" }),
  ISSUER: url({ description: "The auth-server whose tokens are accepted" }),
  JWKS_URI: url({
    optional: true,
    path: true,
    description: "Where its keys are fetched, if not at ISSUER's /.well-known/jwks.json",
  }),
  ALGORITHMS: list({
    default: SIGNING_ALGORITHMS,
    item: isAlgorithm,
    form: `some of ${SIGNING_ALGORITHMS.join(", ")}`,
    description: "Signature algorithms that are accepted",
  }),
  ACCESS_TOKEN_MAX: seconds({
    default: 3600,
    min: 10,
    max: 86_400,
    description: "A token issued for longer is refused",
  }),
  HOST: text({ default: "0.0.0.0", description: "Address of the public listener" }),
  PORT: integer({ default: 5000, min: 0, max: 65535, description: "Port of the public listener" }),
  PRIVATE_HOST: text({ default: "127.0.0.1", description: "Address of the private listener" }),
  PRIVATE_PORT: integer({
    default: 5001,
    min: 0,
    max: 65535,
    description: "Port of the private listener",
  }),
  TRUSTED_PROXIES: list({
    default: [],
    item: isNetwork,
    form: "IP addresses or CIDR ranges separated by commas",
    description: "Proxies whose X-Forwarded-For is believed",
  }),
  TOKEN_CACHE: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description: "Verified tokens remembered",
  }),
  PRIME_THREADS: integer({
    default: 2,
    min: 1,
    max: 64,
    description: "Threads that check large numbers",
  }),
  PRIME_QUEUE: integer({
    default: 100,
    min: 0,
    max: 10_000,
    description: "Large numbers that may wait for a thread, before 503",
  }),
  LOG_LEVEL: choice(LOG_LEVELS, { default: "info", description: "Least level that is logged" }),
};

export interface ResourceServerConfig {
  resource: string;
  issuer: string;
  jwksUri: string;
  algorithms: readonly SigningAlgorithm[];
  accessTokenMaxSeconds: number;
  public: { host: string; port: number };
  private: { host: string; port: number };
  trustedProxies: readonly string[];
  tokenCacheSize: number;
  primes: { threads: number; maxQueue: number };
  logLevel: LogLevel;
}

/** @throws {ConfigError} with every fault */
export function readConfig(env: Record<string, string | undefined>): ResourceServerConfig {
  const settings = readSettings(DEFINITIONS, env);
  return {
    resource: settings.RESOURCE,
    issuer: settings.ISSUER,
    jwksUri: settings.JWKS_URI ?? `${settings.ISSUER}${PATHS.jwks}`,
    algorithms: settings.ALGORITHMS.filter(isAlgorithm),
    accessTokenMaxSeconds: settings.ACCESS_TOKEN_MAX,
    public: { host: settings.HOST, port: settings.PORT },
    private: { host: settings.PRIVATE_HOST, port: settings.PRIVATE_PORT },
    trustedProxies: settings.TRUSTED_PROXIES,
    tokenCacheSize: settings.TOKEN_CACHE,
    primes: { threads: settings.PRIME_THREADS, maxQueue: settings.PRIME_QUEUE },
    logLevel: settings.LOG_LEVEL,
  };
}

export function describeConfig(): string {
  return describeSettings(DEFINITIONS);
}
