/** The auth-server's settings: read once from the environment, printed by `--help`. */
import { SIGNING_ALGORITHMS } from "@daykey/common/protocol";
import {
  choice,
  ConfigError,
  describeSettings,
  flag,
  integer,
  isOrigin,
  list,
  postgresUrl,
  readSettings,
  redisServer,
  seconds,
  secret,
  type Setting,
  text,
  url,
} from "@daykey/service/process/config";
import { listenerConfig, listenerSettings } from "@daykey/service/process/listener-settings";
import { LOG_LEVELS } from "@daykey/service/observe/log";
import { masterKeyFault } from "./keys/master-key.ts";

const DAY = 86_400;

const DEFINITIONS = {
  ISSUER: url({ description: "This server's public address, the issuer of its tokens" }),
  DATABASE_URL: postgresUrl({
    description:
      "PostgreSQL, as the serving role (daykey_app). With several hosts (`//daykey_app@a,b/daykey`) the server uses the primary",
  }),
  DATABASE_DIRECT_URL: postgresUrl({
    optional: true,
    description: "The database without a pooler between, for LISTEN; DATABASE_URL if unset",
  }),
  DATABASE_POOL: integer({
    default: 10,
    min: 2,
    max: 200,
    description: "Most connections of each worker",
  }),
  PREPARED_STATEMENTS: choice(["on", "off"], {
    default: "on",
    description:
      "Set to off behind a pooler that does not carry prepared statements, such as PgBouncer before 1.21",
  }),
  REDIS_URL: redisServer({
    optional: true,
    description:
      "Redis or Valkey, to keep used one-time hashes and assertions and to count quotas there instead of in PostgreSQL",
  }),
  MASTER_KEY: judged(
    "MASTER_KEY",
    secret({ description: "Seals the keys in the database: 64 hex digits, or passphrase:<text>" }),
    masterKeyFault,
  ),
  MASTER_KEY_PREVIOUS: judged(
    "MASTER_KEY_PREVIOUS",
    secret({
      optional: true,
      description: "The previous master key, while the master key is being changed",
    }),
    masterKeyFault,
  ),
  ...listenerSettings({ public: 4000, private: 4001, requestsPerAddress: 1000 }),
  CLIENT_CA_FILE: text({
    optional: true,
    description:
      "PEM file with the authorities whose certificates clients may use for tls_client_auth",
  }),
  MTLS_URL: url({
    optional: true,
    description:
      "Where clients with certificates find the endpoints (mtls_endpoint_aliases), if not at ISSUER",
  }),
  ADMIN_CREDENTIAL_FILE: text({
    optional: true,
    description:
      "File to which the first admin's credential is written, once, on a database without an admin",
  }),
  SIGNING_ALGORITHM: choice(SIGNING_ALGORITHMS, {
    default: "ES256",
    description:
      "Signs access tokens. Every validator knows ES256 and RS256; most know Ed25519 keys only by the name EdDSA",
  }),
  KEY_ROTATION_SECONDS: seconds({
    default: 30 * DAY,
    min: 60,
    max: 366 * DAY,
    description: "How long a signing key is used before the next one",
  }),
  KEY_OVERLAP_SECONDS: seconds({
    default: 3 * 3600,
    min: 60,
    max: 30 * DAY,
    description:
      "How long a signing key is published before its first use and after its tokens' end; some validators cache keys for 2 h",
  }),
  ACCESS_TOKEN_SECONDS: seconds({
    default: 600,
    min: 10,
    max: DAY,
    description: "Life of an access token; default for clients without their own setting",
  }),
  ACCESS_TOKEN_MAX: seconds({
    default: 3600,
    min: 10,
    max: DAY,
    description: "The longest life of any access token",
  }),
  REFRESH_IDLE_SECONDS: seconds({
    default: DAY,
    min: 10,
    max: 366 * DAY,
    description:
      "How long an unused refresh token lives; default for clients without their own setting",
  }),
  REFRESH_ABSOLUTE_SECONDS: seconds({
    default: 7 * DAY,
    min: 10,
    max: 366 * DAY,
    description:
      "How long a grant lives after it was opened; default for clients without their own setting",
  }),
  REFRESH_ABSOLUTE_MAX: seconds({
    default: 30 * DAY,
    min: 10,
    max: 366 * DAY,
    description: "The longest life of any grant",
  }),
  ISSUE_STALE: seconds({
    default: 60,
    min: 5,
    max: 3600,
    description: "How long the server issues tokens from memory while it cannot read the database",
  }),
  REVOCATIONS_PER_CLIENT: integer({
    default: 1000,
    min: 1,
    max: 1_000_000,
    description: "Most live revocations of a client's own grants; one more ends all its tokens",
  }),
  GRANTS_PER_CLIENT: integer({
    default: 3000,
    min: 1,
    max: 1_000_000,
    description:
      "Most first refreshes and revocations of one client's grants in a minute, in each process",
  }),
  NONCES_PER_CLIENT: integer({
    default: 60_000,
    min: 1,
    max: 10_000_000,
    description:
      "Most one-time hashes and assertions of one client in a minute, in each process; resource servers are not limited",
  }),
  QUOTA_MODE: choice(["enforce", "log"], {
    default: "enforce",
    description:
      "enforce: refuse tokens over a client's quota. log: issue them, but log and count them",
  }),
  QUOTA_STORE_DOWN: choice(["memory", "refuse"], {
    default: "memory",
    description:
      "What to do while quotas cannot be counted. memory: count in this process. refuse: answer 503 to clients with a quota of tokens",
  }),
  CLIENT_CACHE: integer({
    default: 20_000,
    min: 100,
    max: 1_000_000,
    description: "Most clients kept in memory",
  }),
  ALLOW_PRIVATE_JWKS_URI: flag({
    default: false,
    description: "Also fetch a client's jwks_uri from private addresses, and from loopback by http",
  }),
  SEED_HASH: flag({
    default: false,
    description:
      "Allow clients the method client_secret_hash_seed, the articles' HMAC-SHA-1 of the date and salt",
  }),
  TOKEN_EXCHANGE: flag({
    default: false,
    description: "Let clients exchange tokens to act on behalf of others (RFC 8693)",
  }),
  DPOP_NONCE: flag({
    default: false,
    description: "Ask for a nonce of this server in each DPoP proof (RFC 9449 §8)",
  }),
  CONSOLE: flag({
    default: true,
    description: "Serve the operator's console at /console of the private listener",
  }),
  CORS_ORIGINS: list({
    default: [],
    item: isOrigin,
    form: "origins such as https://api.example.com separated by commas",
    description:
      "Origins of web pages whose scripts may ask for tokens; a resource-server's /docs is one",
  }),
  BAD_CREDENTIALS_PER_MINUTE: integer({
    default: 20,
    min: 1,
    max: 100_000,
    description:
      "Failed authentications of one client id from one address before 429, in each worker",
  }),
  LOG_LEVEL: choice(LOG_LEVELS, { default: "info", description: "Lowest level that is logged" }),
};

export type AuthServerConfig = ReturnType<typeof readConfig>;

/** @throws {ConfigError} with every fault */
export function readConfig(env: Record<string, string | undefined>) {
  const settings = readSettings(DEFINITIONS, env);
  const faults = [
    settings.ACCESS_TOKEN_SECONDS > settings.ACCESS_TOKEN_MAX
      ? "ACCESS_TOKEN_SECONDS must not be above ACCESS_TOKEN_MAX"
      : undefined,
    settings.REFRESH_ABSOLUTE_SECONDS > settings.REFRESH_ABSOLUTE_MAX
      ? "REFRESH_ABSOLUTE_SECONDS must not be above REFRESH_ABSOLUTE_MAX"
      : undefined,
    settings.KEY_ROTATION_SECONDS < settings.KEY_OVERLAP_SECONDS
      ? "KEY_ROTATION_SECONDS must not be below KEY_OVERLAP_SECONDS"
      : undefined,
    settings.CLIENT_CERTIFICATES === "off" && (settings.CLIENT_CA_FILE ?? settings.MTLS_URL)
      ? "CLIENT_CA_FILE and MTLS_URL need CLIENT_CERTIFICATES"
      : undefined,
  ].filter((fault) => fault !== undefined);
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    issuer: settings.ISSUER,
    databaseUrl: settings.DATABASE_URL,
    databaseDirectUrl: settings.DATABASE_DIRECT_URL ?? settings.DATABASE_URL,
    databasePool: settings.DATABASE_POOL,
    preparedStatements: settings.PREPARED_STATEMENTS === "on",
    redisUrl: settings.REDIS_URL,
    masterKey: settings.MASTER_KEY,
    masterKeyPrevious: settings.MASTER_KEY_PREVIOUS,
    ...listenerConfig(settings),
    clientCaFile: settings.CLIENT_CA_FILE,
    mtlsUrl: settings.MTLS_URL,
    adminCredentialFile: settings.ADMIN_CREDENTIAL_FILE,
    signingAlgorithm: settings.SIGNING_ALGORITHM,
    keyRotationSeconds: settings.KEY_ROTATION_SECONDS,
    keyOverlapSeconds: settings.KEY_OVERLAP_SECONDS,
    accessTokenSeconds: settings.ACCESS_TOKEN_SECONDS,
    accessTokenMaxSeconds: settings.ACCESS_TOKEN_MAX,
    refreshIdleSeconds: settings.REFRESH_IDLE_SECONDS,
    refreshAbsoluteSeconds: settings.REFRESH_ABSOLUTE_SECONDS,
    refreshAbsoluteMaxSeconds: settings.REFRESH_ABSOLUTE_MAX,
    issueStaleSeconds: settings.ISSUE_STALE,
    revocationsPerClient: settings.REVOCATIONS_PER_CLIENT,
    grantsPerClient: settings.GRANTS_PER_CLIENT,
    noncesPerClient: settings.NONCES_PER_CLIENT,
    quota: { mode: settings.QUOTA_MODE, storeDown: settings.QUOTA_STORE_DOWN },
    clientCacheSize: settings.CLIENT_CACHE,
    allowPrivateJwksUri: settings.ALLOW_PRIVATE_JWKS_URI,
    seedHash: settings.SEED_HASH,
    tokenExchange: settings.TOKEN_EXCHANGE,
    dpopNonce: settings.DPOP_NONCE,
    console: settings.CONSOLE,
    corsOrigins: settings.CORS_ORIGINS,
    badCredentialsPerMinute: settings.BAD_CREDENTIALS_PER_MINUTE,
    logLevel: settings.LOG_LEVEL,
  };
}

/** The setting, with a rule that names its faults in words of its own. */
function judged<T>(
  name: string,
  setting: Setting<T>,
  faultOf: (value: string) => string | undefined,
): Setting<T> {
  return {
    ...setting,
    parse(value) {
      const fault = faultOf(value);
      if (fault !== undefined) throw new ConfigError([`${name} ${fault}`]);
      return setting.parse(value);
    },
  };
}

const MIGRATE_DEFINITIONS = {
  MIGRATE_DATABASE_URL: postgresUrl({
    description: "For `migrate`: PostgreSQL, as the role that owns the schema (daykey_owner)",
  }),
};

/** @throws {ConfigError} without MIGRATE_DATABASE_URL */
export function readMigrateConfig(env: Record<string, string | undefined>) {
  return { databaseUrl: readSettings(MIGRATE_DEFINITIONS, env).MIGRATE_DATABASE_URL };
}

export function describeConfig(): string {
  return describeSettings({ ...DEFINITIONS, ...MIGRATE_DEFINITIONS });
}
