/** The resource-server's settings: read once from the environment, printed by `--help`. */
import { PATHS, SIGNING_ALGORITHMS } from "@daykey/common/protocol";
import {
  choice,
  choices,
  ConfigError,
  describeSettings,
  flag,
  integer,
  postgresUrl,
  readSettings,
  redisServer,
  seconds,
  secret,
  type Setting,
  type Settings,
  text,
  url,
} from "@daykey/service/process/config";
import { listenerConfig, listenerSettings } from "@daykey/service/process/listener-settings";
import { LOG_LEVELS } from "@daykey/service/observe/log";
import { readStalePolicy, type StalePolicy } from "@daykey/guard/revocation/stale-policy";
import { type AnswerKeys, readAnswerKeys } from "@daykey/guard/signed-answers/answer-key";
import type { OwnStoreConfig } from "./own-store.ts";
import { type IssuedCredential, parseCredential } from "@daykey/guard/credential-file";

const issuedCredential: Setting<IssuedCredential> = {
  ...secret({ description: "This server's own client at the auth-server" }),
  form: "the content of a credential file",
  fallback: undefined,
  parse: parseCredential,
};

const answerKeys: Setting<AnswerKeys | undefined> = {
  ...secret({
    optional: true,
    description:
      "Signs answers that a client asks to be signed; if unset, a key is derived from RESOURCE_CREDENTIAL",
  }),
  form: "a private JWK, Ed25519 or P-256, or a JWK set whose first key signs",
  fallback: undefined,
  parse: readAnswerKeys,
};

const stalePolicy: Setting<StalePolicy> = {
  ...text({
    description:
      "What to do when no news of revocations came for 15 s. introspect: ask about each token. deny: answer 503. allow: continue with the old news until the silence has lasted this many seconds",
  }),
  form: "introspect, deny or allow:<seconds>",
  fallback: { value: { kind: "introspect" }, text: "introspect" },
  parse: readStalePolicy,
};

const DEFINITIONS = {
  RESOURCE: url({ description: "This server's public address, the audience of its tokens" }),
  ISSUER: url({ description: "The auth-server whose tokens are accepted" }),
  RESOURCE_CREDENTIAL: issuedCredential,
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
  ACCESS_TOKEN_MAX: seconds({
    default: 3600,
    min: 10,
    max: 86_400,
    description: "A token with a longer life is refused",
  }),
  ANSWER_KEY: answerKeys,
  SIMPLE_SIGNATURES: flag({
    default: false,
    description:
      "Also accept a signature of the body alone, as Flask-HMAC makes it. Anyone who sees one can send it again",
  }),
  SIMPLE_SIGNATURE_KEY: text({
    optional: true,
    pattern: /^[a-z0-9]{12}$/,
    form: "the id of a signature key",
    description: "Key of such a signature when it names none",
  }),
  DATABASE_URL: postgresUrl({
    optional: true,
    description:
      "PostgreSQL, as the role daykey_resource, to share quotas and nonces between instances and keep them over restarts",
  }),
  DATABASE_POOL: integer({ default: 4, min: 1, max: 200, description: "Most connections" }),
  PREPARED_STATEMENTS: choice(["on", "off"], {
    default: "on",
    description:
      "Set to off behind a pooler that does not carry prepared statements, such as PgBouncer before 1.21",
  }),
  REDIS_URL: redisServer({
    optional: true,
    description: "Redis or Valkey for the same purpose, instead of PostgreSQL",
  }),
  QUOTA_MODE: choice(["enforce", "log"], {
    default: "enforce",
    description: "enforce: refuse requests over a quota. log: allow them, but log and count them",
  }),
  QUOTA_STORE_DOWN: choice(["memory", "refuse"], {
    default: "memory",
    description:
      "What to do while quotas cannot be counted. memory: count in this process. refuse: answer 503 to clients with a quota",
  }),
  ...listenerSettings({ public: 5000, private: 5001, requestsPerAddress: 5000 }),
  TOKEN_CACHE: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description: "Most verified tokens kept in memory",
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
    description:
      "Most requests about large numbers that wait for a thread; when the queue is full, the client with the most gets 503",
  }),
  SEED_DAILY_LIMIT: integer({
    default: 5,
    min: 0,
    max: 1_000_000_000,
    description:
      "Most requests of one key a day to /get-current-time and /check-prime together, as in the article; 0: no limit",
  }),
  LOG_LEVEL: choice(LOG_LEVELS, { default: "info", description: "Lowest level that is logged" }),
};

export type ResourceServerConfig = ReturnType<typeof readConfig>;

/** @throws {ConfigError} with every fault */
export function readConfig(env: Record<string, string | undefined>) {
  const settings = readSettings(DEFINITIONS, env);
  const { issuer, ...credential } = settings.RESOURCE_CREDENTIAL;
  if (issuer !== settings.ISSUER) {
    throw new ConfigError(["RESOURCE_CREDENTIAL is a client of another issuer than ISSUER"]);
  }
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = settings;
  if (databaseUrl !== undefined && redisUrl !== undefined) {
    throw new ConfigError(["DATABASE_URL and REDIS_URL are both set; set one of them"]);
  }
  // Nonces and counters in memory would be each worker's own.
  const isShared = databaseUrl !== undefined || redisUrl !== undefined;
  if ((settings.WORKERS ?? 1) > 1 && !isShared) {
    throw new ConfigError(["WORKERS above 1 needs DATABASE_URL or REDIS_URL"]);
  }
  const listeners = listenerConfig(settings);
  const authServerUrl = settings.AUTH_SERVER_URL ?? settings.ISSUER;
  return {
    resource: settings.RESOURCE,
    issuer,
    credential,
    /** Its next content counts from then on; undefined where the credential was given by value. */
    credentialFile: env["RESOURCE_CREDENTIAL_FILE"] || undefined,
    authServerUrl,
    jwksUri: settings.JWKS_URI ?? `${authServerUrl}${PATHS.jwks}`,
    stalePolicy: settings.STALE_POLICY,
    algorithms: settings.ALGORITHMS,
    accessTokenMaxSeconds: settings.ACCESS_TOKEN_MAX,
    dpop: { required: settings.DPOP_REQUIRED, nonceKey: settings.DPOP_NONCE_KEY },
    /** Undefined: they are not credentials here. */
    simpleSignatures: settings.SIMPLE_SIGNATURES
      ? { defaultKeyId: settings.SIMPLE_SIGNATURE_KEY }
      : undefined,
    /** Undefined: made of the credential. */
    answerKeys: settings.ANSWER_KEY,
    ...listeners,
    workers: isShared ? listeners.workers : 1,
    tokenCacheSize: settings.TOKEN_CACHE,
    seedDailyLimit: settings.SEED_DAILY_LIMIT,
    primes: { threads: settings.PRIME_THREADS, maxQueue: settings.PRIME_QUEUE },
    store: storeOf(settings),
    quota: { mode: settings.QUOTA_MODE, storeDown: settings.QUOTA_STORE_DOWN },
    logLevel: settings.LOG_LEVEL,
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

function storeOf(settings: Settings<typeof DEFINITIONS>): OwnStoreConfig {
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = settings;
  if (redisUrl !== undefined) return { kind: "redis", url: redisUrl };
  if (databaseUrl === undefined) return { kind: "memory" };
  const preparedStatements = settings.PREPARED_STATEMENTS === "on";
  return { kind: "postgresql", url: databaseUrl, pool: settings.DATABASE_POOL, preparedStatements };
}
