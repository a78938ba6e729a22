/** The resource and the clients that a first start makes, and later ones keep right. */
import { createClientsStore } from "@daykey/auth-server/clients/clients-store";
import type { ClientRegistration } from "@daykey/auth-server/clients/client";
import {
  type CredentialFile,
  credentialFileOf,
  readCredentialFile,
  registerIntoFile,
  writeCredentialFile,
} from "@daykey/auth-server/registration/credential-file";
import { ensureFirstAdmin } from "@daykey/auth-server/registration/first-admin";
import { createClientRegistrar } from "@daykey/auth-server/registration/register";
import { createSecretMaker } from "@daykey/auth-server/registration/secrets";
import { createSecretsStore } from "@daykey/auth-server/registration/secrets-store";
import { createResourcesStore } from "@daykey/auth-server/resources/resources-store";
import type { Clock } from "@daykey/common/clock";
import { kidOfSecret } from "@daykey/common/secret-hash";
import { createDatabase } from "@daykey/service/database/database";
import { createLog } from "@daykey/service/observe/log";
import type { LocalConfig } from "./config.ts";
import type { Home } from "./home.ts";

const SCOPES = ["time:read", "primes:check"];
const DAY = 86_400;
/** A secret of a year gets its successor when so much of it is left. */
const RENEW_SECONDS = 60 * DAY;
export const LIMITS = { accessTokenMaxSeconds: 3600, refreshAbsoluteMaxSeconds: 30 * DAY };

/** What `npm start` has. Returns the demo client's credential file. */
export async function ensureFirstClients({
  databaseUrl,
  config: { issuer, resource, ports },
  home,
  clock,
}: {
  databaseUrl: string;
  config: LocalConfig;
  home: Home;
  clock: Clock;
}): Promise<CredentialFile> {
  const clients = openFirstClients({ databaseUrl, place: { issuer, resource }, clock });
  try {
    await clients.ensureAdmin(home.adminFile, `http://127.0.0.1:${ports.AUTH_PRIVATE_PORT}`);
    await clients.ensureResourceServer(home.resourceServerFile);
    return await clients.ensureDemo(home.demoFile);
  } finally {
    await clients.close();
  }
}

/**
 * Each is made with its file, or mended. A secret that ends within 60 days, or has ended, gets a
 * successor in the file, and lives on until its end. One that was revoked stays so, and so does one
 * whose file is not there.
 */
export interface FirstClients {
  /** Files that got a new secret: who has read one before reads it again. */
  readonly renewed: readonly string[];
  /** @param adminUrl where the admin API is, if not at its usual place */
  ensureAdmin(path: string, adminUrl?: string): Promise<void>;
  /** With the resource it owns. */
  ensureResourceServer(path: string): Promise<void>;
  ensureDemo(path: string): Promise<CredentialFile>;
  close(): Promise<void>;
}

/** @param options.place where both servers are reached */
export function openFirstClients({
  databaseUrl,
  place: { issuer, resource },
  clock,
}: {
  databaseUrl: string;
  place: { issuer: string; resource: string };
  clock: Clock;
}): FirstClients {
  const log = createLog({ name: "local", level: "silent" });
  const database = createDatabase({ connectionString: databaseUrl, max: 1, log });
  const clients = createClientsStore(database, {
    issuer,
    longestGrantSeconds: LIMITS.refreshAbsoluteMaxSeconds,
  });
  const resources = createResourcesStore(database, issuer);
  const secrets = createSecretMaker();
  const registrar = createClientRegistrar({ clients, resources, secrets, clock, limits: LIMITS });

  const renewed: string[] = [];
  const stored = createSecretsStore(database, {
    issuer,
    newsSeconds: LIMITS.refreshAbsoluteMaxSeconds,
  });

  async function renew(path: string): Promise<void> {
    const file = await readCredentialFile(path);
    const all = (file && (await stored.list(file.client_id))) ?? [];
    const own = all.find(({ kid }) => file && kid === kidOfSecret(file.client_secret));
    if (!file || !own || own.revokedAt !== undefined) return;
    // Beside two that live there is no room: one was made by hand, or a renewal was cut off.
    const isFull = all.filter(({ live }) => live).length > 1;
    if (own.expiresAt - clock() > RENEW_SECONDS || isFull) return;
    const { clientSecret, salt } = await registrar.addSecret(file.client_id, { kind: "generated" });
    await writeCredentialFile(path, { ...file, client_secret: clientSecret, salt });
    renewed.push(path);
  }

  /** The client and its file, made or mended: another port changes both, a lost file gets a new secret. */
  async function ensure(path: string, registration: ClientRegistration): Promise<CredentialFile> {
    const { clientId } = registration;
    const now = clock();
    const found = await clients.find(clientId, { now, firstDay: 0 });
    if (!found) {
      await registerIntoFile({ path, registration, registrar, issuer });
    } else {
      if (found.client.resources.join() !== registration.resources.join()) {
        await clients.changeResources(clientId, registration.resources);
      }
      await mendFile(path, clientId, registration.resources[0] ?? issuer);
      await renew(path);
    }
    const file = await readCredentialFile(path);
    if (!file) throw new Error(`${path} vanished`);
    return file;
  }

  async function mendFile(path: string, clientId: string, uri: string): Promise<void> {
    const file = await readCredentialFile(path);
    const place = { issuer, resource: uri };
    if (!file) {
      const issued = await registrar.addSecret(clientId, { kind: "generated" });
      await writeCredentialFile(path, credentialFileOf(issued, place));
    } else if (file.issuer !== issuer || file.resource !== uri) {
      const issued = { clientId, clientSecret: file.client_secret, salt: file.salt };
      await writeCredentialFile(path, credentialFileOf(issued, place));
    }
  }

  /** Where the server is reached may have changed since the file was written. */
  async function mendAdminFile(path: string, adminUrl: string | undefined): Promise<void> {
    const file = await readCredentialFile(path);
    if (!file || (file.issuer === issuer && file.admin_url === adminUrl)) return;
    const issued = {
      clientId: file.client_id,
      clientSecret: file.client_secret,
      salt: file.salt,
    };
    const content = credentialFileOf(issued, { issuer, resource: issuer });
    const place = adminUrl === undefined ? {} : { admin_url: adminUrl };
    await writeCredentialFile(path, { ...content, ...place });
  }

  return {
    renewed,
    async ensureAdmin(path, adminUrl) {
      // An auth-server that ran before may have made it.
      await ensureFirstAdmin({ path, clients, registrar, issuer, log });
      await mendAdminFile(path, adminUrl);
      await renew(path);
    },

    async ensureResourceServer(path) {
      await ensure(path, {
        clientId: "resource-server",
        name: "the resource-server",
        authMethods: ["client_secret_hash_once"],
        grantTypes: ["client_credentials"],
        scopes: ["revocations:read", "introspect"],
        resources: [issuer],
      });
      await resources.add({
        uri: resource,
        name: "time and primes",
        scopes: SCOPES,
        ownerClientId: "resource-server",
      });
    },

    ensureDemo: async (path) =>
      ensure(path, {
        clientId: "demo",
        name: "demo",
        authMethods: [
          "client_secret_hash_once",
          "client_secret_hash_day",
          "client_secret_basic",
          "client_secret_post",
        ],
        grantTypes: ["client_credentials", "refresh_token"],
        scopes: SCOPES,
        resources: [resource],
      }),

    close: async () => database.close(),
  };
}
