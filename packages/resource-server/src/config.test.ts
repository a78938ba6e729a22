import { ConfigError } from "@daykey/service/config";
import { expect, test } from "vitest";
import { describeConfig, readConfig } from "./config.ts";

const REQUIRED = { RESOURCE: "https://api.example", ISSUER: "https://auth.example" };

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig({ ...REQUIRED, ...env });
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test("two settings are enough", () => {
  expect(readConfig(REQUIRED)).toEqual({
    resource: "https://api.example",
    issuer: "https://auth.example",
    jwksUri: "https://auth.example/.well-known/jwks.json",
    algorithms: ["ES256", "RS256", "Ed25519"],
    accessTokenMaxSeconds: 3600,
    public: { host: "0.0.0.0", port: 5000 },
    private: { host: "127.0.0.1", port: 5001 },
    trustedProxies: [],
    tokenCacheSize: 10_000,
    primes: { threads: 2, maxQueue: 100 },
    logLevel: "info",
  });
});

test("every setting is read", () => {
  const env = {
    RESOURCE: "http://127.0.0.1:5000",
    ISSUER: "http://127.0.0.1:4000",
    JWKS_URI: "http://10.0.0.1:4000/keys/jwks.json",
    ALGORITHMS: "Ed25519, ES256",
    ACCESS_TOKEN_MAX: "600",
    HOST: "::",
    PORT: "8080",
    PRIVATE_HOST: "10.0.0.2",
    PRIVATE_PORT: "0",
    TRUSTED_PROXIES: "10.0.0.0/8,::1",
    TOKEN_CACHE: "1",
    PRIME_THREADS: "4",
    PRIME_QUEUE: "0",
    LOG_LEVEL: "warn",
  };
  expect(readConfig(env)).toEqual({
    resource: "http://127.0.0.1:5000",
    issuer: "http://127.0.0.1:4000",
    jwksUri: "http://10.0.0.1:4000/keys/jwks.json",
    algorithms: ["Ed25519", "ES256"],
    accessTokenMaxSeconds: 600,
    public: { host: "::", port: 8080 },
    private: { host: "10.0.0.2", port: 0 },
    trustedProxies: ["10.0.0.0/8", "::1"],
    tokenCacheSize: 1,
    primes: { threads: 4, maxQueue: 0 },
    logLevel: "warn",
  });
  const described = describeConfig();
  for (const name of Object.keys(env)) expect(described).toMatch(new RegExp(`^  ${name} `, "m"));
});

test("missing settings are told together", () => {
  expect(() => readConfig({})).toThrow(/RESOURCE is required.*\n.*ISSUER is required/);
});

test.each([
  [
    "RESOURCE",
    ["https://api.example/", "https://api.example/v1", "api.example", "ftp://a.example"],
  ],
  ["ISSUER", ["https://auth.example/", "https://AUTH.example", "https://u:p@auth.example", "x"]],
  ["JWKS_URI", ["/jwks.json", "file:///etc/keys.json", "https://a.example/jwks.json?a=b"]],
  ["ALGORITHMS", ["none", "HS256", "es256", "ES256,HS256", "ES384", "EdDSA", "PS256"]],
  ["ACCESS_TOKEN_MAX", ["9", "86401", "-1", "1h", "600.5", "1e3"]],
  ["PORT", ["-1", "65536", "http"]],
  ["PRIVATE_PORT", ["-1", "65536"]],
  ["TRUSTED_PROXIES", ["localhost", "10.0.0.0/33", "10.0.0.1,x"]],
  ["TOKEN_CACHE", ["0", "1000001", "many"]],
  ["PRIME_THREADS", ["0", "65"]],
  ["PRIME_QUEUE", ["-1", "10001"]],
  ["LOG_LEVEL", ["verbose", "INFO"]],
])("%s is refused by name when it is not of its form", (name, values) => {
  for (const value of values) {
    const faults = faultsOf({ [name]: value });
    expect(faults, value).toEqual([expect.stringMatching(new RegExp(`^${name} must be `))]);
  }
});
