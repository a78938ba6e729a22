/** The resource and the clients that a first start makes, and later ones keep right. */
import { createAuditStore } from "@daykey/auth-server/audit/audit-store";
import { createSetUpRecorder } from "@daykey/auth-server/audit/set-up";
import { createClientsStore } from "@daykey/auth-server/clients/clients-store";
import {
  ADMIN_SCOPE,
  type Client,
  type ClientRegistration,
} from "@daykey/auth-server/clients/client";
import {
  type CredentialFile,
  readCredentialFile,
  registerIntoFile,
} from "@daykey/auth-server/registration/credential-file";
import { createKeysStore } from "@daykey/auth-server/keys/keys-store";
import { setUpSealer } from "@daykey/auth-server/keys/proven-sealer";
import { ensureFirstAdmin } from "@daykey/auth-server/registration/first-admin";
import { createClientRegistrar } from "@daykey/auth-server/registration/register";
import { createRegistrationsStore } from "@daykey/auth-server/registration/registrations-store";
import { createSecretMaker } from "@daykey/auth-server/registration/secrets";
import { createSecretsStore } from "@daykey/auth-server/registration/secrets-store";
import { createResourcesStore } from "@daykey/auth-server/resources/resources-store";
import type { Clock } from "@daykey/common/clock";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { ProblemError } from "@daykey/service/http/problem-error";
import { createLog } from "@daykey/service/observe/log";
import { createSetupSecrets } from "./setup-secrets.ts";

const SCOPES = ["time:read", "primes:check"];
const DAY = 86_400;
export const LIMITS = { accessTokenMaxSeconds: 3600, refreshAbsoluteMaxSeconds: 30 * DAY };

/** A client as it is now. */
export interface FirstClient {
  /** What its file holds. */
  credential: CredentialFile;
  /**
   * One sentence with its remedy, where an operator took from it what it needs here: that stays taken.
   * Undefined for a client that can do its work.
   */
  fault: string | undefined;
}

/**
 * Each is made with its file, or mended. It is the client that its file names, for as long as that
 * exists; a deleted id is never used again, so then the next free one is, such as `demo-2`. A secret that
 * ends within 60 days, has ended, was revoked or is not the client's gets a successor in the file.
 */
export interface FirstClients {
  /** Files that got a new secret: who has read one before reads it again. */
  readonly renewed: string[];
  /**
   * An admin's secret that was revoked stays so, while another admin can get in, and so does one whose
   * file is not there.
   * @param adminUrl where the admin API is, if not at its usual place
   * @returns whether any client can administrate
   */
  ensureAdmin(path: string, adminUrl?: string): Promise<boolean>;
  /** With the resource it owns. */
  ensureResourceServer(path: string): Promise<FirstClient>;
  ensureDemo(path: string): Promise<FirstClient>;
  close(): Promise<void>;
}

/**
 * @param options.masterKey seals the audit log's head, which grows by what is done here
 * @param options.place where both servers are reached
 * @param options.daykey how the command line is called there, for remedies
 */
export async function openFirstClients({
  databaseUrl,
  masterKey,
  place: { issuer, resource },
  daykey,
  clock,
}: {
  databaseUrl: string;
  masterKey: string;
  place: { issuer: string; resource: string };
  daykey: string;
  clock: Clock;
}): Promise<FirstClients> {
  const log = createLog({ name: "local", level: "silent" });
  const database = createDatabase({ connectionString: databaseUrl, max: 1, log });
  const clients = createClientsStore(database, {
    issuer,
    longestGrantSeconds: LIMITS.refreshAbsoluteMaxSeconds,
  });
  const resources = createResourcesStore(database, issuer);
  const secrets = createSecretMaker();
  const registrar = createClientRegistrar({ clients, resources, secrets, clock, limits: LIMITS });

  const secretsStore = createSecretsStore(database, {
    issuer,
    newsSeconds: LIMITS.refreshAbsoluteMaxSeconds,
  });
  const registrations = createRegistrationsStore(database, {
    issuer,
    newsSeconds: LIMITS.refreshAbsoluteMaxSeconds,
  });
  const record = await openRecorder(database, masterKey).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  const setupSecrets = createSetupSecrets({ stored: secretsStore, registrar, record, clock });
  const renewed: string[] = [];

  const find = async (clientId: string): Promise<Client | undefined> =>
    (await clients.find(clientId, { now: clock(), firstDay: 0 }))?.client;

  /** Under its id, or the next that nobody has or had. */
  async function create(path: string, registration: ClientRegistration): Promise<void> {
    const { clientId } = registration;
    for (let n = 1; ; n++) {
      const wanted = { ...registration, clientId: n === 1 ? clientId : `${clientId}-${n}` };
      try {
        return await registerIntoFile({ path, registration: wanted, registrar, issuer, record });
      } catch (error) {
        if (!(error instanceof ProblemError && error.code === "client-exists")) throw error;
      }
    }
  }

  /** @param form the way to prove itself that is used here */
  async function ensure(
    path: string,
    registration: ClientRegistration,
    form: ClientRegistration["authMethods"][number],
  ): Promise<FirstClient> {
    const file = await readCredentialFile(path);
    const client = (file && (await find(file.client_id))) ?? (await find(registration.clientId));
    if (!client) {
      await create(path, registration);
    } else {
      const { clientId } = client;
      if (client.resources.join() !== registration.resources.join()) {
        await moveTo(clientId, registration.resources);
      }
      const place = { issuer, resource: registration.resources[0] ?? issuer };
      if (await setupSecrets.ensure(path, clientId, place)) renewed.push(path);
    }
    const credential = await readCredentialFile(path);
    if (!credential) throw new Error(`${path} vanished`);
    const needed = { ...registration, authMethods: [form] };
    const taken = client && whatWasTaken(client, needed);
    return { credential, fault: taken && `The client ${client.clientId} ${taken}` };
  }

  async function moveTo(clientId: string, uris: readonly string[]): Promise<void> {
    await registrations.change(
      clientId,
      async (current) => ({ ...current, resources: uris }),
      async (tx, before) =>
        record(tx, {
          action: "client.change",
          target: clientId,
          before: { resources: before.resources },
          after: { resources: uris },
        }),
    );
  }

  /** What an operator took from a client that is needed, if anything; its resources are put right. */
  function whatWasTaken(client: Client, needed: ClientRegistration): string | undefined {
    const { clientId } = client;
    if (!client.enabled) return `is disabled: ${daykey} clients enable ${clientId}`;
    const needs = [
      ["scope", "scopes", "--scope"],
      ["way to prove itself", "authMethods", "--form"],
      ["grant type", "grantTypes", "--refresh"],
    ] as const;
    for (const [noun, member, option] of needs) {
      const has: readonly string[] = client[member];
      const lost = needed[member].filter((value) => !has.includes(value));
      if (lost.length === 0) continue;
      const what = `the ${noun} ${lost.join(" and ")}`;
      return `lost ${what}: ${daykey} clients update ${clientId} --help, ${option}`;
    }
    return undefined;
  }

  /** The resource whose server this client is. One that an operator gave to another client stays so. */
  async function ensureResource(ownerClientId: string): Promise<void> {
    const wanted = { uri: resource, name: "time and primes", scopes: SCOPES, ownerClientId };
    const found = await resources.find(resource);
    if (!found) {
      const facts = { name: wanted.name, scopes: SCOPES, owner_client_id: ownerClientId };
      const made = { action: "resource.create", target: resource, before: null } as const;
      await resources.create(wanted, async (tx) => record(tx, { ...made, after: facts }));
      return;
    }
    const owner = found.ownerClientId;
    if (owner !== undefined && (await find(owner))) return;
    await resources.change(
      resource,
      (current) => ({ ...current, ownerClientId }),
      async (tx, before) =>
        record(tx, {
          action: "resource.change",
          target: before.uri,
          before: { owner_client_id: owner ?? null },
          after: { owner_client_id: ownerClientId },
        }),
    );
  }

  return {
    renewed,
    async ensureAdmin(path, adminUrl) {
      // An auth-server that ran before may have made it.
      await ensureFirstAdmin({ path, clients, registrar, issuer, record, log });
      const file = await readCredentialFile(path);
      const client = file && (await find(file.client_id));
      if (client?.enabled && client.scopes.includes(ADMIN_SCOPE)) {
        const place = { issuer, resource: issuer, adminUrl };
        const isRevokedFinal = await clients.anyAdmin();
        const isNew = await setupSecrets.ensure(path, client.clientId, place, { isRevokedFinal });
        if (isNew) renewed.push(path);
      }
      return clients.anyAdmin();
    },

    async ensureResourceServer(path) {
      const registration: ClientRegistration = {
        clientId: "resource-server",
        name: "the resource-server",
        authMethods: ["client_secret_hash_once"],
        grantTypes: ["client_credentials"],
        scopes: ["revocations:read", "introspect"],
        resources: [issuer],
      };
      const server = await ensure(path, registration, "client_secret_hash_once");
      await ensureResource(server.credential.client_id);
      return server;
    },

    async ensureDemo(path) {
      const registration: ClientRegistration = {
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
      };
      return ensure(path, registration, "client_secret_hash_day");
    },

    close: async () => database.close(),
  };
}

async function openRecorder(database: Database, masterKey: string) {
  const keys = createKeysStore(database);
  const sealer = await setUpSealer(keys, { masterKey });
  return createSetUpRecorder({ audit: createAuditStore(database, sealer), keys, sealer });
}
