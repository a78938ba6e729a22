/** The gateway's settings: read once from the environment, printed by `--help`. */
import { readFileSync } from "node:fs";
import { parseCredential } from "@daykey/guard/credential-file";
import type { GuardOptions } from "@daykey/guard/guard";
import type { StalePolicy } from "@daykey/guard/revocation/stale-policy";
import type { OwnCredential } from "@daykey/guard/tokens/own-client";
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from "@daykey/common/protocol";
import { isNetwork } from "@daykey/service/http/address";
import { LOG_LEVELS, type LogLevel } from "@daykey/service/observe/log";
import {
  choice,
  ConfigError,
  describeSettings,
  integer,
  list,
  readSettings,
  redisServer,
  seconds,
  secret,
  type Setting,
  text,
  url,
} from "@daykey/service/process/config";
import {
  type ListenerConfig,
  listenerConfig,
  listenerSettings,
} from "@daykey/service/process/listener-settings";
import { HTTP_DOORS, type HttpDoor } from "./doors.ts";

const isAlgorithm = (name: string): name is SigningAlgorithm =>
  SIGNING_ALGORITHMS.some((known) => known === name);
const isDoor = (name: string): name is HttpDoor => HTTP_DOORS.some((known) => known === name);

const credential: Setting<ReturnType<typeof parseCredential>> = {
  ...secret({
    optional: true,
    description:
      "The gateway's own client at the auth-server; without it revocations are not heard, and a token is good until its end",
  }),
  form: "the content of a credential file",
  fallback: undefined,
  parse: parseCredential,
};

const ALLOW = /^allow:([1-9]\d{0,4})$/;

/** Those of the servers, but for what is meant for strangers: nobody else asks the gateway. */
function listeners(ports: { public: number; private: number }) {
  const {
    WORKERS: _one,
    REQUESTS_PER_ADDRESS: _none,
    ...shared
  } = listenerSettings({ ...ports, requestsPerAddress: 0 });
  return {
    ...shared,
    HOST: text({ default: "127.0.0.1", description: "Address of the public listener" }),
  };
}

const SERVE = {
  ROUTES_FILE: text({ description: "The YAML file of hosts and routes" }),
  DOORS: list({
    item: isDoor,
    default: [],
    form: `some of ${HTTP_DOORS.join(", ")}`,
    description: "Proxies that ask over HTTP, each at a path of its own name",
  }),
  RESOURCE: url({ description: "The audience of the tokens of hosts that name none" }),
  ISSUER: url({ description: "The auth-server whose tokens are accepted" }),
  RESOURCE_CREDENTIAL: credential,
  AUTH_SERVER_URL: url({
    optional: true,
    description: "Where the auth-server is reached from here, if not at ISSUER",
  }),
  JWKS_URI: url({
    optional: true,
    path: true,
    description:
      "Where the issuer's keys are fetched, if not at the auth-server's /.well-known/jwks.json",
  }),
  STALE_POLICY: text({
    default: "introspect",
    pattern: /^(?:introspect|deny|allow:[1-9]\d{0,4})$/,
    form: "introspect, deny or allow:<seconds>",
    description:
      "Once no news of revocations has come for 15 s: ask about each token, refuse all with 503, or serve by the old news until the silence has lasted so long",
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
  REDIS_URL: redisServer({
    optional: true,
    description:
      "Redis or Valkey: quotas and nonces are shared by all instances; without it they are this process's own",
  }),
  QUOTA_MODE: choice(["enforce", "log"], {
    default: "enforce",
    description: "Refuse who is over a quota, or let it through and only log and count it",
  }),
  QUOTA_STORE_DOWN: choice(["memory", "refuse"], {
    default: "memory",
    description:
      "While quotas cannot be counted: count in this process's memory, or answer clients with a quota 503",
  }),
  ...listeners({ public: 6000, private: 6001 }),
  GRPC_PORT: integer({
    optional: true,
    min: 0,
    max: 65535,
    description: "Port of Envoy's door over gRPC, at HOST; without it there is none",
  }),
  TRUSTED_PROXIES: list({
    default: ["127.0.0.1", "::1"],
    item: isNetwork,
    form: "IP addresses or CIDR ranges separated by commas",
    description: "Proxies that may ask; everybody else is refused",
  }),
  TOKEN_CACHE: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description: "Verified tokens remembered",
  }),
  LOG_LEVEL: choice(LOG_LEVELS, { default: "info", description: "Least level that is logged" }),
};

export interface GatewayConfig extends ListenerConfig {
  routesFile: string;
  /** Its content now. @throws {ConfigError} when it cannot be read */
  readRoutes(): string;
  doors: readonly HttpDoor[];
  grpcPort: number | undefined;
  /** Of hosts that name none. */
  resource: string;
  credential: OwnCredential | undefined;
  /** The file it is from, whose next content counts from then on. */
  credentialFile: string | undefined;
  /** What all guards have. */
  guard: Pick<
    GuardOptions,
    | "issuer"
    | "authServerUrl"
    | "jwksUri"
    | "stalePolicy"
    | "algorithms"
    | "accessTokenMaxSeconds"
    | "quota"
    | "tokenCacheSize"
  >;
  redisUrl: string | undefined;
  logLevel: LogLevel;
}

/** @throws {ConfigError} with every fault */
export function readConfig(env: Record<string, string | undefined>): GatewayConfig {
  const settings = readSettings(SERVE, env);
  const { RESOURCE_CREDENTIAL: issued, ISSUER: issuer } = settings;
  if (issued && issued.issuer !== issuer) {
    throw new ConfigError(["RESOURCE_CREDENTIAL is a client of another issuer than ISSUER"]);
  }
  const doors = settings.DOORS.filter(isDoor);
  if (doors.length === 0 && settings.GRPC_PORT === undefined) {
    throw new ConfigError(["DOORS and GRPC_PORT are both unset; no proxy could ask"]);
  }
  const authServerUrl = settings.AUTH_SERVER_URL ?? issuer;
  return {
    ...listenerConfig({ ...settings, WORKERS: 1, REQUESTS_PER_ADDRESS: 0 }),
    routesFile: settings.ROUTES_FILE,
    readRoutes: () => readFile("ROUTES_FILE", settings.ROUTES_FILE),
    doors,
    grpcPort: settings.GRPC_PORT,
    resource: settings.RESOURCE,
    credential: issued,
    credentialFile: env["RESOURCE_CREDENTIAL_FILE"] || undefined,
    guard: {
      issuer,
      authServerUrl,
      jwksUri: settings.JWKS_URI,
      stalePolicy: stalePolicyOf(settings.STALE_POLICY),
      algorithms: settings.ALGORITHMS.filter(isAlgorithm),
      accessTokenMaxSeconds: settings.ACCESS_TOKEN_MAX,
      quota: { mode: settings.QUOTA_MODE, storeDown: settings.QUOTA_STORE_DOWN },
      tokenCacheSize: settings.TOKEN_CACHE,
    },
    redisUrl: settings.REDIS_URL,
    logLevel: settings.LOG_LEVEL,
  };
}

const {
  TRUSTED_PROXIES: _nobody,
  OTEL_EXPORTER_OTLP_ENDPOINT: _nowhere,
  OTEL_TRACES_SAMPLER_ARG: _nothing,
  ...EGRESS_LISTENERS
} = listeners({ public: 6100, private: 6101 });
const EGRESS = {
  UPSTREAMS_FILE: text({ description: "The YAML file of upstreams" }),
  ...EGRESS_LISTENERS,
  LOG_LEVEL: SERVE.LOG_LEVEL,
};

export interface EgressConfig extends ListenerConfig {
  upstreamsFile: string;
  upstreams: string;
  logLevel: LogLevel;
}

/** @throws {ConfigError} with every fault */
export function readEgressConfig(env: Record<string, string | undefined>): EgressConfig {
  const settings = readSettings(EGRESS, env);
  return {
    ...listenerConfig({
      ...settings,
      TRUSTED_PROXIES: [],
      WORKERS: 1,
      REQUESTS_PER_ADDRESS: 0,
      OTEL_EXPORTER_OTLP_ENDPOINT: undefined,
      OTEL_TRACES_SAMPLER_ARG: "1",
    }),
    upstreamsFile: settings.UPSTREAMS_FILE,
    upstreams: readFile("UPSTREAMS_FILE", settings.UPSTREAMS_FILE),
    logLevel: settings.LOG_LEVEL,
  };
}

/** @throws {ConfigError} that names the setting and the reason */
export function readFile(setting: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError([`${setting} names a file that cannot be read (${code})`]);
  }
}

export function describeConfig(): string {
  return describeSettings(SERVE);
}

export function describeEgressConfig(): string {
  return describeSettings(EGRESS);
}

function stalePolicyOf(policy: string): StalePolicy {
  const allowed = ALLOW.exec(policy)?.[1];
  if (allowed !== undefined) return { kind: "allow", seconds: Number(allowed) };
  return { kind: policy === "deny" ? "deny" : "introspect" };
}
