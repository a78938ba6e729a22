/** The resource and the clients that `npm start` makes the first time, and keeps right afterwards. */
import { createClientsStore } from "@daykey/auth-server/clients/clients-store";
import type { ClientRegistration } from "@daykey/auth-server/clients/client";
import {
  type CredentialFile,
  credentialFileOf,
  readCredentialFile,
  registerIntoFile,
  writeCredentialFile,
} from "@daykey/auth-server/clients/credential-file";
import { createClientRegistrar } from "@daykey/auth-server/clients/register";
import { createSecretMaker } from "@daykey/auth-server/clients/secrets";
import { createResourcesStore } from "@daykey/auth-server/resources/resources-store";
import type { Clock } from "@daykey/common/clock";
import { createDatabase } from "@daykey/service/database";
import { createLog } from "@daykey/service/log";
import type { LocalConfig } from "./config.ts";
import type { Home } from "./home.ts";

const SCOPES = ["time:read", "primes:check"];
const DAY = 86_400;
const LIMITS = { accessTokenMaxSeconds: 3600, refreshAbsoluteMaxSeconds: 30 * DAY };

/** Returns the demo client's credential file. */
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
  const log = createLog({ name: "local", level: "silent" });
  const database = createDatabase({ connectionString: databaseUrl, max: 1, log });
  const clients = createClientsStore(database, {
    issuer,
    longestGrantSeconds: LIMITS.refreshAbsoluteMaxSeconds,
  });
  const resources = createResourcesStore(database, issuer);
  const secrets = createSecretMaker();
  const registrar = createClientRegistrar({ clients, resources, secrets, clock, limits: LIMITS });

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

  /** The auth-server wrote the first admin's file; where it is reached may have changed since. */
  async function mendAdminFile(): Promise<void> {
    const file = await readCredentialFile(home.adminFile);
    if (!file) return;
    const admin_url = `http://127.0.0.1:${ports.AUTH_PRIVATE_PORT}`;
    if (file.issuer === issuer && file.admin_url === admin_url) return;
    const issued = {
      clientId: file.client_id,
      clientSecret: file.client_secret,
      salt: file.salt,
    };
    const content = credentialFileOf(issued, { issuer, resource: issuer });
    await writeCredentialFile(home.adminFile, { ...content, admin_url });
  }

  try {
    await mendAdminFile();
    await ensure(home.resourceServerFile, {
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
    return await ensure(home.demoFile, {
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
    });
  } finally {
    await database.close();
  }
}
