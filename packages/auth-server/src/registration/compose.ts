/** Registration: what an operator decides about clients, their secrets and keys; and the first admin. */
import type { ClientsStore } from "../clients/clients-store.ts";
import type { Ground } from "../ground.ts";
import type { ResourcesStore } from "../resources/resources-store.ts";
import { createEndingSecrets, type EndingSecrets } from "./ending-secrets.ts";
import { ensureFirstAdmin } from "./first-admin.ts";
import { createLabelsStore, type LabelsStore } from "./labels-store.ts";
import { type ClientRegistrar, createClientRegistrar } from "./register.ts";
import { createRegisteredKeysStore, type RegisteredKeysStore } from "./registered-keys-store.ts";
import { createRegistrationsStore, type RegistrationsStore } from "./registrations-store.ts";
import { createSecretMaker } from "./secrets.ts";
import { createSecretsStore, type SecretsStore } from "./secrets-store.ts";
import type { RecordSetUp } from "./set-up-record.ts";

export interface Registration {
  registrar: ClientRegistrar;
  registrations: RegistrationsStore;
  secrets: SecretsStore;
  endingSecrets: EndingSecrets;
  clientKeys: RegisteredKeysStore;
  labels: LabelsStore;
}

/** Makes the first admin where there is none. @throws as `ensureFirstAdmin` */
export async function composeRegistration({
  settings,
  issuer,
  database,
  newsSeconds,
  clock,
  log,
  clients,
  resources,
  recordSetUp: record,
}: Pick<Ground, "settings" | "issuer" | "database" | "newsSeconds" | "clock" | "log"> & {
  clients: ClientsStore;
  resources: ResourcesStore;
  recordSetUp: RecordSetUp;
}): Promise<Registration> {
  const registrar = createClientRegistrar({
    clients,
    resources,
    secrets: createSecretMaker(settings),
    clock,
    limits: settings,
  });
  const path = settings.adminCredentialFile;
  if (path !== undefined) await ensureFirstAdmin({ path, clients, registrar, issuer, record, log });
  const secrets = createSecretsStore(database, { issuer, newsSeconds });
  return {
    registrar,
    registrations: createRegistrationsStore(database, { issuer, newsSeconds }),
    secrets,
    endingSecrets: createEndingSecrets({ store: secrets, clock, log }),
    clientKeys: createRegisteredKeysStore(database, { issuer, newsSeconds }),
    labels: createLabelsStore(database, { issuer }),
  };
}
