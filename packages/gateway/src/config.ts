/** The gateway's settings: read once from the environment, printed by `--help`. */
import { readFileSync } from "node:fs";
import { parseCredential } from "@daykey/guard/credential-file";
import { readStalePolicy, type StalePolicy } from "@daykey/guard/revocation/stale-policy";
import type { OwnCredential } from "@daykey/guard/tokens/own-client";
import { SIGNING_ALGORITHMS } from "@daykey/common/protocol";
import { isNetwork } from "@daykey/service/http/address";
import { LOG_LEVELS } from "@daykey/service/observe/log";
import {
  choice,
  choices,
  ConfigError,
  describeSettings,
  flag,
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
import { listenerConfig, listenerSettings } from "@daykey/service/process/listener-settings";
import { HTTP_DOORS } from "./doors.ts";

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

const stalePolicy: Setting<StalePolicy> = {
  ...text({
    description:
      "Once no news of revocations has come for 15 s: ask about each token, refuse all with 503, or serve by the old news until the silence has lasted so long",
  }),
  form: "introspect, deny or allow:<seconds>",
  fallback: { value: { kind: "introspect" }, text: "introspect" },
  parse: readStalePolicy,
};

/** Those of the servers, but for what is meant for strangers: nobody else asks the gateway. */
function listeners(ports: { public: number; private: number }) {
  const {
    WORKERS: _one,
    REQUESTS_PER_ADDRESS: _none,
    CLIENT_CERTIFICATES: _any,
    ...shared
  } = listenerSettings({ ...ports, requestsPerAddress: 0 });
  return {
    ...shared,
    HOST: text({ default: "127.0.0.1", description: "Address of the public listener" }),
  };
}

const SERVE = {
  ROUTES_FILE: text({ description: "The YAML file of hosts and routes" }),
  DOORS: choices(HTTP_DOORS, {
    default: [],
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
  STALE_POLICY: stalePolicy,
  ALGORITHMS: choices(SIGNING_ALGORITHMS, {
    default: SIGNING_ALGORITHMS,
    description: "Signature algorithms that are accepted",
  }),
  ACCESS_TOKEN_MAX: seconds({
    default: 3600,
    min: 10,
    max: 86_400,
    description: "A token issued for longer is refused",
  }),
  DPOP_REQUIRED: flag({
    default: false,
    description: "Refuse access tokens that are not bound to a key (RFC 9449)",
  }),
  DPOP_NONCE_KEY: secret({
    optional: true,
    pattern: /^.{32,}$/s,
    form: "32 characters or more",
    description:
      "Ask for a nonce in each DPoP proof, made with this key, which all instances must share",
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
  CLIENT_CERTIFICATES: choice(["off", "proxy"], {
    default: "off",
    description:
      "Believe the header Client-Cert (RFC 9440), for tokens that are bound to a certificate. Every proxy must set it, and remove its callers' own",
  }),
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

export type GatewayConfig = ReturnType<typeof readConfig>;

/** @throws {ConfigError} with every fault */
export function readConfig(env: Record<string, string | undefined>) {
  const settings = readSettings(SERVE, env);
  const { RESOURCE_CREDENTIAL: issued, ISSUER: issuer } = settings;
  if (issued && issued.issuer !== issuer) {
    throw new ConfigError(["RESOURCE_CREDENTIAL is a client of another issuer than ISSUER"]);
  }
  const doors = settings.DOORS;
  if (doors.length === 0 && settings.GRPC_PORT === undefined) {
    throw new ConfigError(["DOORS and GRPC_PORT are both unset; no proxy could ask"]);
  }
  const authServerUrl = settings.AUTH_SERVER_URL ?? issuer;
  return {
    ...listenerConfig({
      ...settings,
      WORKERS: 1,
      REQUESTS_PER_ADDRESS: 0,
    }),
    routesFile: settings.ROUTES_FILE,
    /** Its content now. @throws {ConfigError} when it cannot be read */
    readRoutes: () => readFile("ROUTES_FILE", settings.ROUTES_FILE),
    doors,
    grpcPort: settings.GRPC_PORT,
    /** The resource of hosts that name none. */
    resource: settings.RESOURCE,
    credential: issued as OwnCredential | undefined,
    /** Its next content counts from then on. */
    credentialFile: env["RESOURCE_CREDENTIAL_FILE"] || undefined,
    /** What all guards have. */
    guard: {
      issuer,
      authServerUrl,
      jwksUri: settings.JWKS_URI,
      stalePolicy: settings.STALE_POLICY,
      algorithms: settings.ALGORITHMS,
      accessTokenMaxSeconds: settings.ACCESS_TOKEN_MAX,
      dpop: { required: settings.DPOP_REQUIRED, nonceKey: settings.DPOP_NONCE_KEY },
      clientCertProxies: settings.CLIENT_CERTIFICATES === "proxy" ? settings.TRUSTED_PROXIES : [],
      quota: { mode: settings.QUOTA_MODE, storeDown: settings.QUOTA_STORE_DOWN },
      tokenCacheSize: settings.TOKEN_CACHE,
    },
    redisUrl: settings.REDIS_URL,
    logLevel: settings.LOG_LEVEL,
  };
}

const {
  TLS_CERTIFICATE_FILE: _noCertificate,
  TLS_KEY_FILE: _noKey,
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

export type EgressConfig = ReturnType<typeof readEgressConfig>;

/** @throws {ConfigError} with every fault */
export function readEgressConfig(env: Record<string, string | undefined>) {
  const settings = readSettings(EGRESS, env);
  return {
    ...listenerConfig({
      ...settings,
      TLS_CERTIFICATE_FILE: undefined,
      TLS_KEY_FILE: undefined,
      CLIENT_CERTIFICATES: "off",
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
