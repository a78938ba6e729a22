/** A real auth-server over a database of its own, with a clock that a test moves and its log in memory. */
import { createHash, randomBytes } from "node:crypto";
import { createDatabase } from "@daykey/service/database/database";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { createTestLog } from "@daykey/service/test/log";
import type { Tracing } from "@daykey/service/observe/tracing";
import { dayFormHash, oneTimeHash } from "@daykey/common/secret-hash";
import { createClientsStore } from "../src/clients/clients-store.ts";
import type { ClientRegistration } from "../src/clients/client.ts";
import { createClientRegistrar, type IssuedSecret } from "../src/registration/register.ts";
import { createSecretMaker, type SecretRequest } from "../src/registration/secrets.ts";
import { hashPrimitives } from "../src/clients/verifiers.ts";
import { type AuthServerConfig, readConfig } from "../src/config.ts";
import { createResourcesStore } from "../src/resources/resources-store.ts";
import { createAuthServer } from "../src/server.ts";

export const ISSUER = "https://auth.example.test";
export const API = "https://api.example.test";
export const OTHER_API = "https://other.example.test";

export interface TestClient extends IssuedSecret {
  /** What the day form is made from: the secret, or Argon2id of a chosen one. */
  root: string;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
  text: string;
}

export interface TestAuthServer {
  config: AuthServerConfig;
  url: string;
  privateUrl: string;
  database: TestDatabase;
  /** What was logged, parsed. */
  lines: Record<string, unknown>[];
  /** Moves the clock by seconds. */
  advance(seconds: number): void;
  now(): number;
  /** Registers a client; by default it may do everything at `API` and `OTHER_API`. */
  createClient(
    registration?: Partial<ClientRegistration>,
    secret?: SecretRequest,
  ): Promise<TestClient>;
  addSecret(clientId: string, secret?: SecretRequest): Promise<TestClient>;
  /** Makes the server see what SQL has just changed. */
  look(): Promise<void>;
  dayForm(client: TestClient, at?: number): Promise<string>;
  oneTime(client: TestClient, at?: number): Promise<string>;
  /** POST /oauth2/token. */
  token(form: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  /** POST of a form to any path. */
  post(path: string, form: Record<string, string>): Promise<Answer>;
  /** The same by the client's day form. */
  postAs(client: TestClient, path: string, form: Record<string, string>): Promise<Answer>;
  /** A token by the day form. */
  clientCredentials(client: TestClient, form?: Record<string, string>): Promise<Answer>;
  refresh(client: TestClient, token: unknown, form?: Record<string, string>): Promise<Answer>;
  stop(): Promise<void>;
}

/** @param options.database another server's, to have two over one database */
export async function startAuthServer(
  options: {
    config?: Partial<AuthServerConfig>;
    database?: TestDatabase;
    offset?: number;
    tracing?: Tracing;
  } = {},
): Promise<TestAuthServer> {
  const database = options.database ?? (await createTestDatabase());
  const config: AuthServerConfig = {
    ...readConfig({
      ISSUER,
      DATABASE_URL: database.appUrl,
      MASTER_KEY: createHash("sha256").update("a master key for tests").digest("hex"),
      HOST: "127.0.0.1",
      PORT: "0",
      PRIVATE_PORT: "0",
      KEEP_ALIVE_SECONDS: "5",
      WORKERS: "1",
      STOP_DELAY_SECONDS: "0",
      // Tests that are about a limit set it; no other meets it.
      REQUESTS_PER_ADDRESS: "0",
      GRANTS_PER_CLIENT: "100000",
      NONCES_PER_CLIENT: "1000000",
      BAD_CREDENTIALS_PER_MINUTE: "10000",
      CLIENT_CACHE: "1000",
    }),
    ...options.config,
  };
  let offset = options.offset ?? 0;
  const now = (): number => Date.now() / 1000 + offset;
  const { tracing } = options;
  const { log, lines } = createTestLog("debug", tracing?.logFields);
  const server = await createAuthServer(config, { clock: now, log, tracing });
  const url = `http://127.0.0.1:${server.publicPort}`;

  const admin = createDatabase({ connectionString: database.appUrl, max: 2, log });
  const resources = createResourcesStore(admin, config.issuer);
  const registrar = createClientRegistrar({
    clients: createClientsStore(admin, {
      issuer: config.issuer,
      longestGrantSeconds: config.refreshAbsoluteMaxSeconds,
    }),
    resources,
    secrets: createSecretMaker(config),
    clock: now,
    limits: config,
  });
  const apiScopes = ["time:read", "primes:check"];
  await resources.add({ uri: API, name: "api", scopes: apiScopes, ownerClientId: undefined });
  await resources.add({
    uri: OTHER_API,
    name: "other",
    scopes: ["time:read", "other:write"],
    ownerClientId: undefined,
  });
  await server.look();

  async function post(
    path: string,
    form: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const body = new URLSearchParams(form);
    const response = await fetch(url + path, { method: "POST", body, headers });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
      text,
    };
  }

  const token: TestAuthServer["token"] = (form, headers) => post("/oauth2/token", form, headers);

  const dayForm: TestAuthServer["dayForm"] = (client, at = now()) =>
    dayFormHash(hashPrimitives, client, at);

  return {
    config,
    url,
    privateUrl: `http://127.0.0.1:${server.privatePort}`,
    database,
    lines,
    advance: (seconds) => (offset += seconds),
    now,
    async createClient(registration = {}, secret = { kind: "generated" }) {
      const issued = await registrar.create(
        {
          clientId: `client-${randomBytes(4).toString("hex")}`,
          name: "a client",
          authMethods: [
            "client_secret_basic",
            "client_secret_post",
            "client_secret_hash_day",
            "client_secret_hash_once",
          ],
          grantTypes: ["client_credentials", "refresh_token"],
          scopes: [...apiScopes, "other:write"],
          resources: [API, OTHER_API],
          ...registration,
        },
        secret,
      );
      return { ...issued, root: issued.clientSecret };
    },
    async addSecret(clientId, secret = { kind: "generated" }) {
      const issued = await registrar.addSecret(clientId, secret);
      await server.look();
      return { ...issued, root: issued.clientSecret };
    },
    look: server.look,
    dayForm,
    oneTime: (client, at = now()) =>
      oneTimeHash(hashPrimitives, client, {
        issuer: config.issuer,
        clientId: client.clientId,
        epochSeconds: at,
        nonce: randomBytes(16),
      }),
    token,
    post,
    async postAs(client, path, form) {
      const client_secret_hash = await dayForm(client);
      return post(path, { client_id: client.clientId, client_secret_hash, ...form });
    },
    async clientCredentials(client, form = {}) {
      const { clientId: client_id } = client;
      const client_secret_hash = await dayForm(client);
      return token({ grant_type: "client_credentials", client_id, client_secret_hash, ...form });
    },
    async refresh(client, refreshToken, form = {}) {
      return token({
        grant_type: "refresh_token",
        refresh_token: String(refreshToken),
        client_id: client.clientId,
        client_secret_hash: await dayForm(client),
        ...form,
      });
    },
    async stop() {
      try {
        await server.stop();
      } finally {
        await admin.close();
        if (!options.database) await database.drop();
      }
    },
  };
}
