import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ConfigError } from "@daykey/service/process/config";
import { describeConfig, readConfig, readMigrateConfig } from "./config.ts";

const MASTER_KEY = createHash("sha256").update("any").digest("hex");

const ENV = {
  ISSUER: "https://auth.example.test",
  DATABASE_URL: "postgresql://daykey_app@localhost/daykey",
  MASTER_KEY,
};

function faultsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

test("three settings are enough; the rest have defaults", () => {
  expect(readConfig(ENV)).toMatchObject({
    issuer: "https://auth.example.test",
    databaseUrl: ENV.DATABASE_URL,
    databaseDirectUrl: ENV.DATABASE_URL,
    databasePool: 10,
    preparedStatements: true,
    redisUrl: undefined,
    masterKey: MASTER_KEY,
    masterKeyPrevious: undefined,
    public: { host: "0.0.0.0", port: 4000 },
    private: { host: "127.0.0.1", port: 4001 },
    trustedProxies: [],
    requestsPerAddress: 1000,
    adminCredentialFile: undefined,
    signingAlgorithm: "ES256",
    keyRotationSeconds: 2_592_000,
    keyOverlapSeconds: 10_800,
    accessTokenSeconds: 600,
    accessTokenMaxSeconds: 3600,
    refreshIdleSeconds: 86_400,
    refreshAbsoluteSeconds: 604_800,
    refreshAbsoluteMaxSeconds: 2_592_000,
    issueStaleSeconds: 60,
    quota: { mode: "enforce", storeDown: "memory" },
    clientCacheSize: 20_000,
    allowPrivateJwksUri: false,
    seedHash: false,
    corsOrigins: [],
    badCredentialsPerMinute: 20,
    logLevel: "info",
  });
});

test("every fault is reported at once and by name, and no value is quoted", () => {
  const faults = faultsOf({
    ISSUER: "https://auth.example.test/path",
    MASTER_KEY: "00".repeat(32),
    MASTER_KEY_PREVIOUS: "passphrase:canary",
    DATABASE_DIRECT_URL: "canary",
    PORT: "canary",
    SIGNING_ALGORITHM: "HS256",
    KEY_ROTATION_SECONDS: "1",
    TRUSTED_PROXIES: "canary",
    LOG_LEVEL: "canary",
  });
  expect(faults.map((fault) => fault.split(" ")[0])).toEqual([
    "ISSUER",
    "DATABASE_URL",
    "DATABASE_DIRECT_URL",
    "MASTER_KEY",
    "MASTER_KEY_PREVIOUS",
    "PORT",
    "TRUSTED_PROXIES",
    "SIGNING_ALGORITHM",
    "KEY_ROTATION_SECONDS",
    "LOG_LEVEL",
  ]);
  expect(faults.join()).not.toMatch(/canary|0000/);
  expect(faults).toContain("MASTER_KEY is a sample key; make a random one");
  expect(faults).toContain("MASTER_KEY_PREVIOUS must have a passphrase of at least 16 characters");
});

const TLS_FILES = { TLS_CERTIFICATE_FILE: "/tls.pem", TLS_KEY_FILE: "/tls.key" };

test.each([
  [{ TLS_CERTIFICATE_FILE: "/a" }, /must be set together/],
  [{ TLS_KEY_FILE: "/a" }, /must be set together/],
  [{ CLIENT_CERTIFICATES: "tls" }, /^CLIENT_CERTIFICATES=tls needs TLS_CERTIFICATE_FILE/],
  [{ ...TLS_FILES, CLIENT_CERTIFICATES: "proxy" }, /^CLIENT_CERTIFICATES=proxy needs TRUSTED_PROX/],
  [{ ...TLS_FILES, CLIENT_CERTIFICATES: "yes" }, /^CLIENT_CERTIFICATES must be one of/],
])("settings of TLS that do not fit each other are refused: %j", (settings, fault) => {
  expect(faultsOf({ ...ENV, ...settings })).toEqual([expect.stringMatching(fault)]);
});

test("nothing set: what is required is named", () => {
  expect(faultsOf({}).map((fault) => fault.split(" ")[0])).toEqual([
    "ISSUER",
    "DATABASE_URL",
    "MASTER_KEY",
  ]);
});

test("A2: sample master keys are refused", () => {
  for (const sample of ["ab".repeat(32), "passphrase:change me before production"]) {
    expect(faultsOf({ ...ENV, MASTER_KEY: sample })).toEqual([
      expect.stringMatching(/^MASTER_KEY .*sample/),
    ]);
  }
});

test("T2: only asymmetric algorithms of the list", () => {
  for (const name of ["none", "None", "HS256", "RS1", "PS256", "eddsa", "es256"]) {
    expect(faultsOf({ ...ENV, SIGNING_ALGORITHM: name })).toEqual([
      "SIGNING_ALGORITHM must be one of ES256, RS256, Ed25519, EdDSA",
    ]);
  }
});

test("a token may not live longer than the longest", () => {
  expect(faultsOf({ ...ENV, ACCESS_TOKEN_SECONDS: "4000", REFRESH_ABSOLUTE_MAX: "3600" })).toEqual([
    "ACCESS_TOKEN_SECONDS must not be above ACCESS_TOKEN_MAX",
    "REFRESH_ABSOLUTE_SECONDS must not be above REFRESH_ABSOLUTE_MAX",
  ]);
});

test("a secret may stand in a file, whose one trailing newline is dropped", async () => {
  const directory = await mkdtemp(join(tmpdir(), "daykey-config-"));
  try {
    const path = join(directory, "secret");
    for (const [content, value] of [
      [MASTER_KEY, MASTER_KEY],
      [`${MASTER_KEY}\n`, MASTER_KEY],
      [`${MASTER_KEY}\r\n`, MASTER_KEY],
    ] as const) {
      await writeFile(path, content);
      const { MASTER_KEY: _, ...rest } = ENV;
      expect(readConfig({ ...rest, MASTER_KEY_FILE: path }).masterKey).toBe(value);
    }
    await writeFile(path, `${"00".repeat(32)}\n`);
    expect(faultsOf({ ...ENV, MASTER_KEY: undefined, MASTER_KEY_FILE: path })).toEqual([
      "MASTER_KEY is a sample key; make a random one",
    ]);
    expect(faultsOf({ ...ENV, MASTER_KEY_FILE: path })).toEqual([
      "MASTER_KEY and MASTER_KEY_FILE are both set; set one of them",
    ]);
    const missing = { MASTER_KEY_FILE: join(directory, "none"), DATABASE_URL_FILE: directory };
    expect(faultsOf({ ISSUER: ENV.ISSUER, ...missing })).toEqual([
      "DATABASE_URL_FILE names a file that cannot be read (EISDIR)",
      "MASTER_KEY_FILE names a file that cannot be read (ENOENT)",
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("--help lists every setting with its default", () => {
  const lines = describeConfig()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  expect(Object.fromEntries(lines.map(([name, standard]) => [name, standard]))).toMatchObject({
    HOST: "0.0.0.0",
    PORT: "4000",
    PRIVATE_HOST: "127.0.0.1",
    PRIVATE_PORT: "4001",
    DATABASE_POOL: "10",
    SIGNING_ALGORITHM: "ES256",
    KEY_ROTATION_SECONDS: "2592000",
    KEY_OVERLAP_SECONDS: "10800",
    ACCESS_TOKEN_SECONDS: "600",
    ACCESS_TOKEN_MAX: "3600",
    REFRESH_IDLE_SECONDS: "86400",
    REFRESH_ABSOLUTE_SECONDS: "604800",
    REFRESH_ABSOLUTE_MAX: "2592000",
    ISSUE_STALE: "60",
    CLIENT_CACHE: "20000",
    SEED_HASH: "false",
    CORS_ORIGINS: "(empty)",
    BAD_CREDENTIALS_PER_MINUTE: "20",
    LOG_LEVEL: "info",
  });
  const names = lines.map(([name]) => name?.replace("[_FILE]", ""));
  for (const name of ["ISSUER", "DATABASE_URL", "DATABASE_DIRECT_URL", "MASTER_KEY"]) {
    expect(names).toContain(name);
  }
  for (const name of ["MASTER_KEY_PREVIOUS", "ADMIN_CREDENTIAL_FILE", "TRUSTED_PROXIES"]) {
    expect(names).toContain(name);
  }
  expect(names).toContain("MIGRATE_DATABASE_URL");
});

test("migrate has one setting of its own", () => {
  const url = "postgresql://daykey_owner@localhost/daykey";
  expect(readMigrateConfig({ MIGRATE_DATABASE_URL: url })).toEqual({ databaseUrl: url });
  expect(() => readMigrateConfig({})).toThrow(/MIGRATE_DATABASE_URL is required/);
});
