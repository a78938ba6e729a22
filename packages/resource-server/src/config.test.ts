import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@daykey/service/process/config";
import { describe, expect, onTestFinished, test } from "vitest";
import { describeConfig, readConfig } from "./config.ts";

/** As the auth-server writes it for a new client. */
const FILE = {
  issuer: "https://auth.example",
  token_endpoint: "https://auth.example/oauth2/token",
  resource: "https://auth.example",
  client_id: "resource-server",
  client_secret: "dks_r3s0urc3_BQWeEnktNXfuBwjlrPAilAEL4D8njCArgl6a1zogRQd_0Q65In",
  salt: "00112233445566778899aabbccddeeff",
};
const CREDENTIAL = {
  clientId: FILE.client_id,
  clientSecret: FILE.client_secret,
  salt: FILE.salt,
};

const REQUIRED = {
  RESOURCE: "https://api.example",
  ISSUER: "https://auth.example",
  RESOURCE_CREDENTIAL: JSON.stringify(FILE),
};

function privateJwk(kind: "ed25519" | "ec", namedCurve = "P-256"): JsonWebKey {
  const pair =
    kind === "ec" ? generateKeyPairSync("ec", { namedCurve }) : generateKeyPairSync("ed25519");
  return pair.privateKey.export({ format: "jwk" });
}

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig({ ...REQUIRED, ...env });
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test("three settings are enough", () => {
  expect(readConfig(REQUIRED)).toEqual({
    resource: "https://api.example",
    issuer: "https://auth.example",
    credential: CREDENTIAL,
    authServerUrl: "https://auth.example",
    jwksUri: "https://auth.example/.well-known/jwks.json",
    stalePolicy: { kind: "introspect" },
    algorithms: ["ES256", "RS256", "Ed25519", "EdDSA"],
    accessTokenMaxSeconds: 3600,
    dpop: { required: false, nonceKey: undefined },
    simpleSignatures: undefined,
    answerKeys: undefined,
    public: { host: "0.0.0.0", port: 5000 },
    private: { host: "127.0.0.1", port: 5001 },
    trustedProxies: [],
    requestsPerAddress: 5000,
    tls: undefined,
    clientCertificates: "off",
    keepAliveSeconds: 75,
    workers: 1,
    stopDelaySeconds: 1,
    traces: undefined,
    tokenCacheSize: 10_000,
    seedDailyLimit: 5,
    primes: { threads: 2, maxQueue: 100 },
    store: { kind: "memory" },
    quota: { mode: "enforce", storeDown: "memory" },
    logLevel: "info",
  });
});

test("every setting is read", () => {
  const env = {
    RESOURCE: "http://127.0.0.1:5000",
    ISSUER: "http://127.0.0.1:4000",
    RESOURCE_CREDENTIAL: JSON.stringify({ ...FILE, issuer: "http://127.0.0.1:4000" }),
    AUTH_SERVER_URL: "http://auth-server:4000",
    JWKS_URI: "http://10.0.0.1:4000/keys/jwks.json",
    STALE_POLICY: "allow:120",
    ALGORITHMS: "Ed25519, ES256",
    ACCESS_TOKEN_MAX: "600",
    DPOP_REQUIRED: "true",
    DPOP_NONCE_KEY: "a key of nonces, as all instances have it",
    SIMPLE_SIGNATURES: "true",
    SIMPLE_SIGNATURE_KEY: "0tp1eti4sm2k",
    ANSWER_KEY: JSON.stringify({ keys: [privateJwk("ed25519"), privateJwk("ec")] }),
    DATABASE_URL: "postgresql://a",
    DATABASE_POOL: "9",
    PREPARED_STATEMENTS: "off",
    QUOTA_MODE: "log",
    QUOTA_STORE_DOWN: "refuse",
    HOST: "::",
    PORT: "8080",
    PRIVATE_HOST: "10.0.0.2",
    PRIVATE_PORT: "0",
    TRUSTED_PROXIES: "10.0.0.0/8,::1",
    REQUESTS_PER_ADDRESS: "0",
    TLS_CERTIFICATE_FILE: "/etc/tls.pem",
    TLS_KEY_FILE: "/etc/tls.key",
    CLIENT_CERTIFICATES: "tls",
    KEEP_ALIVE_SECONDS: "620",
    WORKERS: "3",
    STOP_DELAY_SECONDS: "10",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
    TOKEN_CACHE: "1",
    PRIME_THREADS: "4",
    PRIME_QUEUE: "0",
    SEED_DAILY_LIMIT: "0",
    LOG_LEVEL: "warn",
  };
  expect(readConfig(env)).toEqual({
    resource: "http://127.0.0.1:5000",
    issuer: "http://127.0.0.1:4000",
    credential: CREDENTIAL,
    authServerUrl: "http://auth-server:4000",
    jwksUri: "http://10.0.0.1:4000/keys/jwks.json",
    stalePolicy: { kind: "allow", seconds: 120 },
    algorithms: ["Ed25519", "ES256"],
    accessTokenMaxSeconds: 600,
    dpop: { required: true, nonceKey: "a key of nonces, as all instances have it" },
    simpleSignatures: { defaultKeyId: "0tp1eti4sm2k" },
    answerKeys: [
      expect.objectContaining({ algorithm: "ed25519" }),
      expect.objectContaining({ algorithm: "ecdsa-p256-sha256" }),
    ],
    public: { host: "::", port: 8080 },
    private: { host: "10.0.0.2", port: 0 },
    trustedProxies: ["10.0.0.0/8", "::1"],
    requestsPerAddress: 0,
    tls: { certificateFile: "/etc/tls.pem", keyFile: "/etc/tls.key", asksClients: true },
    clientCertificates: "tls",
    keepAliveSeconds: 620,
    workers: 3,
    stopDelaySeconds: 10,
    traces: { endpoint: "http://collector:4318", ratio: 0.25 },
    tokenCacheSize: 1,
    seedDailyLimit: 0,
    primes: { threads: 4, maxQueue: 0 },
    store: { kind: "postgresql", url: "postgresql://a", pool: 9, preparedStatements: false },
    quota: { mode: "log", storeDown: "refuse" },
    logLevel: "warn",
  });
  const described = describeConfig();
  for (const name of Object.keys(env))
    expect(described).toMatch(new RegExp(`^  ${name}(?:\\[_FILE\\])? `, "m"));
});

test("quotas and nonces have one store", () => {
  const redis = { ...REQUIRED, REDIS_URL: "rediss://redis.example:6380" };
  expect(readConfig(redis).store).toEqual({ kind: "redis", url: redis.REDIS_URL });
  expect(() => readConfig({ ...redis, DATABASE_URL: "postgresql://a" })).toThrow(
    "DATABASE_URL and REDIS_URL are both set; set one of them",
  );
});

test("several workers need what they share, and are not the default without it", () => {
  const fault = "WORKERS above 1 needs DATABASE_URL or REDIS_URL";
  const WORKERS = "2";
  expect(() => readConfig({ ...REQUIRED, WORKERS })).toThrow(fault);
  expect(readConfig({ ...REQUIRED, WORKERS, DATABASE_URL: "postgresql://a" }).workers).toBe(2);
  expect(readConfig({ ...REQUIRED, WORKERS: "1" }).workers).toBe(1);
});

test("missing settings are told together", () => {
  expect(() => readConfig({})).toThrow(
    /RESOURCE is required.*\n.*ISSUER is required.*\n.*RESOURCE_CREDENTIAL is required/,
  );
});

test.each([
  [
    "RESOURCE",
    ["https://api.example/", "https://api.example/v1", "api.example", "ftp://a.example"],
  ],
  [
    "DATABASE_URL",
    [
      "db.example:5432",
      "http://db.example",
      "host=db.example",
      "postgresql://",
      "postgresql://a b/c",
      "postgresql://a:%zz@b/c",
      "postgresql://a,http:x/c",
    ],
  ],
  [
    "REDIS_URL",
    [
      "redis.example:6379",
      "http://redis.example",
      "redis://",
      "redis://a:b:c",
      "redis://a:99999",
      "redis://a/name",
      "redis://:p%zz@a",
    ],
  ],
  ["ISSUER", ["https://auth.example/", "https://AUTH.example", "https://u:p@auth.example", "x"]],
  ["JWKS_URI", ["/jwks.json", "file:///etc/keys.json", "https://a.example/jwks.json?a=b"]],
  ["AUTH_SERVER_URL", ["auth-server:4000", "https://auth.example/", "https://auth.example/a"]],
  [
    "STALE_POLICY",
    ["Deny", "allow", "allow:", "allow:0", "allow:-1", "allow:1h", "allow:100000", "ask"],
  ],
  ["ALGORITHMS", ["none", "HS256", "es256", "ES256,HS256", "ES384", "Ed448", "PS256"]],
  ["DPOP_NONCE_KEY", ["short", "k".repeat(31)]],
  ["ACCESS_TOKEN_MAX", ["9", "86401", "-1", "1h", "600.5", "1e3"]],
  ["SIMPLE_SIGNATURES", ["yes", "1", "TRUE"]],
  ["SIMPLE_SIGNATURE_KEY", ["0TP1ETI4SM2K", "0tp1eti4sm2", "0tp1eti4sm2k0"]],
  [
    "ANSWER_KEY",
    [
      "x",
      "null",
      "[]",
      "{}",
      '{"keys":[]}',
      JSON.stringify({ ...privateJwk("ed25519"), d: undefined }),
      JSON.stringify(privateJwk("ec", "P-384")),
      JSON.stringify({ kty: "oct", k: "c2VjcmV0" }),
      JSON.stringify({ keys: Array.from({ length: 9 }, () => privateJwk("ed25519")) }),
      JSON.stringify({ keys: Array(2).fill(privateJwk("ed25519")) }),
    ],
  ],
  ["PORT", ["-1", "65536", "http"]],
  ["PRIVATE_PORT", ["-1", "65536"]],
  ["TRUSTED_PROXIES", ["localhost", "10.0.0.0/33", "10.0.0.1,x"]],
  ["TOKEN_CACHE", ["0", "1000001", "many"]],
  ["PRIME_THREADS", ["0", "65"]],
  ["PRIME_QUEUE", ["-1", "10001"]],
  ["SEED_DAILY_LIMIT", ["-1", "5/day", "1e3"]],
  ["LOG_LEVEL", ["verbose", "INFO"]],
])("%s is refused by name when it is not of its form", (name, values) => {
  for (const value of values) {
    const faults = faultsOf({ [name]: value });
    expect(faults, value).toEqual([expect.stringMatching(new RegExp(`^${name} must be `))]);
  }
});

test("without JWKS_URI, keys come from where the auth-server is reached", () => {
  const { jwksUri } = readConfig({ ...REQUIRED, AUTH_SERVER_URL: "http://10.0.0.1:4000" });
  expect(jwksUri).toBe("http://10.0.0.1:4000/.well-known/jwks.json");
});

test.each(["introspect", "deny"])("STALE_POLICY=%s", (kind) => {
  expect(readConfig({ ...REQUIRED, STALE_POLICY: kind }).stalePolicy).toEqual({ kind });
});

describe("RESOURCE_CREDENTIAL", () => {
  test("may be a file, as the auth-server wrote it", () => {
    const directory = mkdtempSync(join(tmpdir(), "daykey-config-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, "resource-server-client.json");
    writeFileSync(path, `${JSON.stringify(FILE, null, 2)}\n`);
    const env = { ...REQUIRED, RESOURCE_CREDENTIAL: "", RESOURCE_CREDENTIAL_FILE: path };
    expect(readConfig(env)).toMatchObject({ credential: CREDENTIAL, credentialFile: path });
    expect(readConfig(REQUIRED).credentialFile).toBeUndefined();
  });

  test("is refused when it could not work, and not quoted", () => {
    const faulty = {
      "no JSON": "{",
      null: "null",
      "a list": "[]",
      "a secret alone": FILE.client_secret,
      "a mistyped secret": JSON.stringify(FILE).replace("BQWe", "BQwe"),
      ...Object.fromEntries(
        Object.entries({
          issuer: undefined,
          client_id: "a client",
          client_secret: `${FILE.client_secret}x`,
          salt: FILE.salt.toUpperCase(),
        }).map(([name, value]) => [name, JSON.stringify({ ...FILE, [name]: value })]),
      ),
    };
    for (const [name, RESOURCE_CREDENTIAL] of Object.entries(faulty)) {
      expect(faultsOf({ RESOURCE_CREDENTIAL }), name).toEqual([
        "RESOURCE_CREDENTIAL must be the content of a credential file",
      ]);
    }
  });

  test("of another issuer is refused", () => {
    const RESOURCE_CREDENTIAL = JSON.stringify({ ...FILE, issuer: "https://auth.example:444" });
    expect(faultsOf({ RESOURCE_CREDENTIAL })).toEqual([
      "RESOURCE_CREDENTIAL is a client of another issuer than ISSUER",
    ]);
  });
});
