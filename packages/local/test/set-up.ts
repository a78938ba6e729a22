/** A set-up beside a server that runs: what a start makes, and what its files are good for. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { hashPrimitives } from "@daykey/auth-server/clients/verifiers";
import type { CredentialFile } from "@daykey/auth-server/registration/credential-file";
import {
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
} from "@daykey/auth-server/test/auth-server";
import { kidOfSecret, oneTimeHash } from "@daykey/common/secret-hash";
import { afterEach, beforeEach } from "vitest";
import { type FirstClient, type FirstClients, openFirstClients } from "../src/first-clients.ts";

export const NAMES = ["admin", "resource-server", "demo"] as const;
export type Name = (typeof NAMES)[number];

let server: TestAuthServer;
let folder: string;
const opened: FirstClients[] = [];

export const authServer = (): TestAuthServer => server;

/** For each test of a file, a server and a folder of its own. */
export function useSetUp(): void {
  beforeEach(async () => {
    [server, folder] = await Promise.all([
      startAuthServer(),
      mkdtemp(join(tmpdir(), "daykey-setup-")),
    ]);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((clients) => clients.close()));
    await server.stop();
    await rm(folder, { recursive: true });
  });
}

export const pathOf = (name: Name): string => join(folder, `${name}.json`);
export const read = async (name: Name): Promise<CredentialFile> =>
  JSON.parse(await readFile(pathOf(name), "utf8")) as CredentialFile;
export const put = async (name: Name, content: object): Promise<void> =>
  writeFile(pathOf(name), JSON.stringify(content));

/** The server's, in a file. */
export async function putMasterKey(): Promise<string> {
  const path = join(folder, "master-key");
  await writeFile(path, `${server.config.masterKey}\n`);
  return path;
}

interface SetUp {
  hasAdmin: boolean;
  server: FirstClient;
  demo: FirstClient;
  renewed: Name[];
}

export async function open(
  issuer = ISSUER,
  masterKey = server.config.masterKey,
): Promise<FirstClients> {
  const clients = await openFirstClients({
    databaseUrl: server.database.appUrl,
    masterKey,
    place: { issuer, resource: API },
    daykey: "daykey",
    clock: server.now,
  });
  opened.push(clients);
  return clients;
}

/** As a start does it. */
export async function setUp(): Promise<SetUp> {
  const clients = await open();
  const hasAdmin = await clients.ensureAdmin(pathOf("admin"));
  const made = {
    server: await clients.ensureResourceServer(pathOf("resource-server")),
    demo: await clients.ensureDemo(pathOf("demo")),
  };
  // The server may remember clients that were not there.
  await server.look();
  return {
    hasAdmin,
    ...made,
    renewed: NAMES.filter((name) => clients.renewed.includes(pathOf(name))),
  };
}

/** Status of a token request with what a file holds. */
export async function logIn(file: CredentialFile): Promise<number> {
  const { client_id, client_secret, salt } = file;
  const kid = kidOfSecret(client_secret) ?? "";
  const request = {
    issuer: ISSUER,
    clientId: client_id,
    epochSeconds: server.now(),
    nonce: randomBytes(16),
  };
  const client_secret_hash = await oneTimeHash(
    hashPrimitives,
    { root: client_secret, salt, kid },
    request,
  );
  const form = { grant_type: "client_credentials", client_id, client_secret_hash };
  return (await server.token(form)).status;
}

/** Calls the admin API as the admin of the file. */
export async function asAdmin(method: string, path: string, body?: object): Promise<number> {
  const { client_id, client_secret: root, salt } = await read("admin");
  const client_secret_hash = await server.dayForm({ root, salt, clientId: client_id } as never);
  const form = { grant_type: "client_credentials", client_id, client_secret_hash };
  const { body: granted } = await server.token(form);
  const response = await fetch(`${server.privateUrl}/admin/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${String(granted["access_token"])}`,
      ...(body && { "content-type": "application/json", "if-match": "*" }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  await response.text();
  return response.status;
}

/** Moves the end of every secret to so long from now. */
export async function endIn(interval: string): Promise<void> {
  await server.database.query(
    `update daykey.secrets set expires_at = now() + interval '${interval}',
       created_at = now() + interval '${interval}' - interval '366 days'`,
  );
  await server.look();
}

export async function kidsOf(name: Name): Promise<string[]> {
  const { client_id } = await read(name);
  const rows = await server.database.query<{ kid: string }>(
    `select kid from daykey.secrets
     where client_id = $1 and revoked_at is null and expires_at > now() order by created_at`,
    [client_id],
  );
  return rows.map(({ kid }) => kid);
}
