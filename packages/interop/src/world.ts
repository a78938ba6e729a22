/**
 * What every library is tried against: the embedded PostgreSQL, one auth-server for each signature
 * algorithm and a resource-server, started as `npm start` starts them, and the clients and tokens.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashPrimitives } from "@daykey/auth-server/clients/verifiers";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import type { CredentialFile } from "@daykey/auth-server/registration/credential-file";
import { dayFormHash } from "@daykey/common/secret-hash";
import { migrateResourceServer } from "@daykey/resource-server/migrate";
import type { LocalConfig } from "@daykey/local/config";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@daykey/local/embedded-postgres";
import { type Home, openHome } from "@daykey/local/home";
import { ensureHomeClients } from "@daykey/local/home-clients";
import { prepareDatabase } from "@daykey/local/prepare-database";
import { type ServerProcess, startServerProcess } from "@daykey/local/server-process";
import { freePorts } from "@daykey/service/test/free-ports";
import { type TokenSamples, tokenSamples } from "./token-samples.ts";
import { registerClients, type WorldClients } from "./world-clients.ts";

/** What a library gets. It is also the file that programs in other languages read. */
export interface World extends WorldClients {
  issuer: string;
  token_endpoint: string;
  /** Answers `GET /time` with 200 to a token with the scope `time:read`. */
  resource: string;
  admin_url: string;
  /** By the `alg` of the tokens. */
  validation: Record<TokenAlgorithm, TokenSamples>;
}

/** By the value of `SIGNING_ALGORITHM`. */
export const TOKEN_ALGORITHMS = ["ES256", "RS256", "EdDSA"] as const;
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number];

export interface RunningWorld {
  world: World;
  /** A token with which the admin API answers. */
  adminToken(): Promise<string>;
  /** A token with both scopes of the resource-server, or with the one that is given. */
  demoToken(scope?: string): Promise<string>;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";

export async function startWorld(): Promise<RunningWorld> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "daykey-interop-"));
  started.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }));
  const cluster = await startEmbeddedPostgres({
    directory: join(folder, "postgres"),
    fsync: false,
  });
  started.defer(() => cluster.stop());

  const issuers = await Promise.all(
    TOKEN_ALGORITHMS.map(async (algorithm) => startIssuer({ cluster, folder, algorithm })),
  );
  for (const { server } of issuers) started.defer(() => server.stop());
  const [main] = issuers as [Issuer, ...Issuer[]];
  const resourceServer = await startResourceServer(cluster, main);
  started.defer(() => resourceServer.stop());

  const { client_id, client_secret, salt } = await readCredential(main.home.demoFile);
  const clients = await registerClients({
    adminUrl: adminUrl(main),
    adminToken: await tokenFor(await readCredential(main.home.adminFile)),
    issuer: main.config.issuer,
    resource: main.config.resource,
    demo: { client_id, client_secret, salt },
  });
  const samples = issuers.map(async (issuer) => [
    issuer.algorithm,
    await tokenSamples({
      ...issuer.config,
      databaseUrl: issuer.databaseUrl,
      masterKey: (await readFile(issuer.home.masterKeyFile, "utf8")).trim(),
      token: await tokenFor(await readCredential(issuer.home.demoFile), "time:read"),
    }),
  ]);
  const world: World = {
    issuer: main.config.issuer,
    token_endpoint: `${main.config.issuer}/oauth2/token`,
    resource: main.config.resource,
    admin_url: adminUrl(main),
    ...clients,
    validation: Object.fromEntries(await Promise.all(samples)) as World["validation"],
  };
  const owned = started.move();
  return {
    world,
    adminToken: async () => tokenFor(await readCredential(main.home.adminFile)),
    demoToken: async (scope) => tokenFor(await readCredential(main.home.demoFile), scope),
    stop: () => owned.disposeAsync(),
  };
}

interface Issuer {
  algorithm: TokenAlgorithm;
  config: LocalConfig;
  home: Home;
  databaseUrl: string;
  database: string;
  server: ServerProcess;
}

async function startIssuer({
  cluster,
  folder,
  algorithm,
}: {
  cluster: EmbeddedPostgres;
  folder: string;
  algorithm: TokenAlgorithm;
}): Promise<Issuer> {
  const home = await openHome(join(folder, algorithm));
  const [auth, authPrivate, resource, resourcePrivate] = (await freePorts(4)) as [
    number,
    number,
    number,
    number,
  ];
  const config: LocalConfig = {
    home: home.path,
    issuer: `http://localhost:${auth}`,
    resource: `http://localhost:${resource}`,
    ports: {
      AUTH_PORT: auth,
      AUTH_PRIVATE_PORT: authPrivate,
      RESOURCE_PORT: resource,
      RESOURCE_PRIVATE_PORT: resourcePrivate,
    },
  };
  const database = `daykey_${algorithm.toLowerCase()}`;
  await prepareDatabase({ cluster, name: database });
  const connectionString = cluster.url(database, "daykey_owner");
  await migrateAuthServer({ connectionString });
  await migrateResourceServer({ connectionString });
  const databaseUrl = cluster.url(database, "daykey_app");
  const server = await startServerProcess({
    name: "auth-server",
    main: new URL("../../auth-server/src/main.ts", import.meta.url),
    privatePort: authPrivate,
    logFile: home.logFile("auth-server"),
    env: {
      ISSUER: config.issuer,
      SIGNING_ALGORITHM: algorithm,
      DATABASE_URL: databaseUrl,
      MASTER_KEY_FILE: home.masterKeyFile,
      ADMIN_CREDENTIAL_FILE: home.adminFile,
      // Tools that try every input with bad credentials would be told to wait.
      BAD_CREDENTIALS_PER_MINUTE: "100000",
      TOKEN_EXCHANGE: "true",
      HOST,
      PORT: String(auth),
      PRIVATE_PORT: String(authPrivate),
    },
  });
  const clock = (): number => Date.now() / 1000;
  await ensureHomeClients({ databaseUrl, config, home, clock });
  return { algorithm, config, home, databaseUrl, database, server };
}

async function startResourceServer(
  cluster: EmbeddedPostgres,
  { config, home, database }: Issuer,
): Promise<ServerProcess> {
  return startServerProcess({
    name: "resource-server",
    main: new URL("../../resource-server/src/main.ts", import.meta.url),
    privatePort: config.ports.RESOURCE_PRIVATE_PORT,
    logFile: home.logFile("resource-server"),
    env: {
      RESOURCE: config.resource,
      ISSUER: config.issuer,
      RESOURCE_CREDENTIAL_FILE: home.resourceServerFile,
      DATABASE_URL: cluster.url(database, "daykey_resource"),
      HOST,
      PORT: String(config.ports.RESOURCE_PORT),
      PRIVATE_PORT: String(config.ports.RESOURCE_PRIVATE_PORT),
    },
  });
}

function adminUrl({ config }: Issuer): string {
  return `http://${HOST}:${config.ports.AUTH_PRIVATE_PORT}/admin/v1`;
}

async function readCredential(file: string): Promise<CredentialFile> {
  return JSON.parse(await readFile(file, "utf8")) as CredentialFile;
}

async function tokenFor(credential: CredentialFile, scope?: string): Promise<string> {
  const secret = { root: credential.client_secret, salt: credential.salt };
  const response = await fetch(credential.token_endpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: credential.client_id,
      client_secret_hash: await dayFormHash(hashPrimitives, secret, Date.now() / 1000),
      ...(scope === undefined ? {} : { scope }),
    }),
  });
  const answer = (await response.json()) as { access_token?: string };
  if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`);
  return answer.access_token;
}
