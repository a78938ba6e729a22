/** Daykey as it is measured: PostgreSQL with fsync, its servers as real processes, two clients. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClientRegistration } from "@daykey/auth-server/clients/client";
import { createClientsStore } from "@daykey/auth-server/clients/clients-store";
import { credentialFileOf } from "@daykey/auth-server/registration/credential-file";
import {
  createClientRegistrar,
  type IssuedSecret,
} from "@daykey/auth-server/registration/register";
import { createSecretMaker } from "@daykey/auth-server/registration/secrets";
import { generateMasterKey } from "@daykey/auth-server/keys/master-key";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { createResourcesStore } from "@daykey/auth-server/resources/resources-store";
import { type SigningAlgorithm, TOKEN_EXCHANGE_GRANT } from "@daykey/common/protocol";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@daykey/local/embedded-postgres";
import { prepareDatabase } from "@daykey/local/prepare-database";
import { createDatabase } from "@daykey/service/database/database";
import { createLog } from "@daykey/service/observe/log";
import { freePorts } from "@daykey/service/test/free-ports";
import type { ServerCore } from "./cores.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

export const RESOURCE = "https://api.example.com";
/** One process; counts requests of an address, as it does by default, and refuses none. */
const UNLIMITED = { WORKERS: "1", REQUESTS_PER_ADDRESS: "1000000" };
const DAY = 86_400;
const LIMITS = {
  accessTokenMaxSeconds: 3600,
  refreshAbsoluteMaxSeconds: 30 * DAY,
  tokenExchange: true,
};

export interface AuthServer {
  algorithm: SigningAlgorithm;
  issuer: string;
  server: ServerProcess;
  database: string;
  /** Gets access tokens alone, by any method. */
  client: IssuedSecret;
  /** Gets refresh tokens too. */
  refresher: IssuedSecret;
  /** Exchanges others' tokens. */
  actor: IssuedSecret;
  /** The resource-server's own, as a credential file. */
  resourceServer: string;
  /** Another process over the same database. */
  startAnother(): Promise<ServerProcess>;
}

export async function startPostgres(): Promise<EmbeddedPostgres & { remove(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "daykey-bench-"));
  const cluster = await startEmbeddedPostgres({ directory });
  return {
    ...cluster,
    async remove() {
      await cluster.stop();
      for (const place of new Set([directory, cluster.directory])) {
        await rm(place, { recursive: true, force: true, maxRetries: 5 });
      }
    },
  };
}

export async function startAuthServer({
  cluster,
  algorithm,
  core,
}: {
  cluster: EmbeddedPostgres;
  algorithm: SigningAlgorithm;
  core: ServerCore;
}): Promise<AuthServer> {
  const database = `daykey_${algorithm.toLowerCase()}`;
  await prepareDatabase({ cluster, name: database });
  await migrateAuthServer({ connectionString: cluster.url(database, "daykey_owner") });
  const databaseUrl = cluster.url(database, "daykey_app");
  const masterKey = generateMasterKey();

  async function start(ports: number[]): Promise<ServerProcess> {
    const [port = 0, privatePort = 0] = ports;
    return startServer({
      name: `auth-server (${algorithm})`,
      program: new URL("../../auth-server/src/main.ts", import.meta.url),
      port,
      readyUrl: `http://127.0.0.1:${privatePort}/readyz`,
      core,
      env: {
        ISSUER: issuer,
        DATABASE_URL: databaseUrl,
        MASTER_KEY: masterKey,
        // One client stands for all of them.
        GRANTS_PER_CLIENT: "1000000",
        NONCES_PER_CLIENT: "10000000",
        SIGNING_ALGORITHM: algorithm,
        TOKEN_EXCHANGE: "true",
        HOST: "127.0.0.1",
        PORT: String(port),
        PRIVATE_PORT: String(privatePort),
        ...UNLIMITED,
      },
    });
  }

  const ports = await freePorts(2);
  const issuer = `http://127.0.0.1:${ports[0]}`;
  const clients = await registerClients(databaseUrl, issuer);
  const server = await start(ports);
  const startAnother = async (): Promise<ServerProcess> => start(await freePorts(2));
  return { algorithm, issuer, server, database, startAnother, ...clients };
}

async function registerClients(
  databaseUrl: string,
  issuer: string,
): Promise<Pick<AuthServer, "client" | "refresher" | "actor" | "resourceServer">> {
  const log = createLog({ name: "bench", level: "silent" });
  const database = createDatabase({ connectionString: databaseUrl, max: 1, log });
  const resources = createResourcesStore(database, issuer);
  const registrar = createClientRegistrar({
    clients: createClientsStore(database, {
      issuer,
      longestGrantSeconds: LIMITS.refreshAbsoluteMaxSeconds,
    }),
    resources,
    secrets: createSecretMaker(),
    clock: () => Date.now() / 1000,
    limits: LIMITS,
  });
  const create = (registration: Omit<ClientRegistration, "name">): Promise<IssuedSecret> =>
    registrar.create({ name: registration.clientId, ...registration }, { kind: "generated" });
  try {
    const resourceServer = await create({
      clientId: "resource-server",
      authMethods: ["client_secret_hash_once"],
      grantTypes: ["client_credentials"],
      scopes: ["revocations:read", "introspect"],
      resources: [issuer],
    });
    const scopes = ["time:read", "primes:check"];
    await resources.add({
      uri: RESOURCE,
      name: "time and primes",
      scopes,
      ownerClientId: "resource-server",
    });
    const usual = {
      authMethods: [
        "client_secret_basic",
        "client_secret_hash_day",
        "client_secret_hash_once",
      ] as const,
      scopes,
      resources: [RESOURCE],
    };
    return {
      client: await create({ ...usual, clientId: "client", grantTypes: ["client_credentials"] }),
      refresher: await create({
        ...usual,
        clientId: "refresher",
        grantTypes: ["client_credentials", "refresh_token"],
      }),
      actor: await create({
        ...usual,
        clientId: "actor",
        grantTypes: [TOKEN_EXCHANGE_GRANT],
        exchange: { subjects: ["*"], audiences: ["*"], impersonation: false },
      }),
      resourceServer: JSON.stringify(
        credentialFileOf(resourceServer, { issuer, resource: issuer }),
      ),
    };
  } finally {
    await database.close();
  }
}

export async function startResourceServer(
  { issuer, resourceServer }: Pick<AuthServer, "issuer" | "resourceServer">,
  core: ServerCore,
  settings: Record<string, string> = {},
): Promise<ServerProcess & { privatePort: number }> {
  const [port = 0, privatePort = 0] = await freePorts(2);
  const server = await startServer({
    name: "resource-server",
    program: new URL("../../resource-server/src/main.ts", import.meta.url),
    port,
    readyUrl: `http://127.0.0.1:${privatePort}/readyz`,
    core,
    env: {
      RESOURCE,
      ISSUER: issuer,
      RESOURCE_CREDENTIAL: resourceServer,
      HOST: "127.0.0.1",
      PORT: String(port),
      PRIVATE_PORT: String(privatePort),
      ...UNLIMITED,
      ...settings,
    },
  });
  return { ...server, privatePort };
}

/** The gateway, asked by Traefik, with one route that needs the scope of the resource-server's. */
export async function startGateway(
  { issuer, resourceServer }: Pick<AuthServer, "issuer" | "resourceServer">,
  core: ServerCore,
): Promise<ServerProcess> {
  const [port = 0, privatePort = 0] = await freePorts(2);
  return startServer({
    name: "gateway",
    program: new URL("../../gateway/src/main.ts", import.meta.url),
    port,
    readyUrl: `http://127.0.0.1:${privatePort}/readyz`,
    core,
    env: {
      ROUTES_FILE: fileURLToPath(new URL("../peers/routes.yaml", import.meta.url)),
      DOORS: "traefik",
      RESOURCE,
      ISSUER: issuer,
      RESOURCE_CREDENTIAL: resourceServer,
      PORT: String(port),
      PRIVATE_PORT: String(privatePort),
    },
  });
}
