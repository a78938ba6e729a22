/** `recover-admin`: from the server's own settings to another admin, beside servers that run. */
import { createDatabase } from "@daykey/service/database/database";
import type { Clock } from "@daykey/common/clock";
import { ConfigError } from "@daykey/service/process/config";
import type { Log } from "@daykey/service/observe/log";
import { createAuditStore } from "./audit/audit-store.ts";
import { createClientsStore } from "./clients/clients-store.ts";
import type { AuthServerConfig } from "./config.ts";
import { createKeysStore } from "./keys/keys-store.ts";
import { requireMigrated } from "./migrate.ts";
import { provenSealer } from "./keys/proven-sealer.ts";
import { recoverAdmin } from "./registration/recover-admin.ts";
import { createClientRegistrar } from "./registration/register.ts";
import { createSecretMaker } from "./registration/secrets.ts";
import { createResourcesStore } from "./resources/resources-store.ts";

/** Brackets are in no client id, so no client can be taken for it. */
const RECOVERY_ACTOR = "(recovery)";

/**
 * Makes another admin and writes its credential to `adminCredentialFile`. Resolves with its id.
 * @throws {ConfigError} without that setting, and as `provenSealer` and `recoverAdmin`
 */
export async function recoverFromSettings(
  config: Pick<
    AuthServerConfig,
    | "issuer"
    | "databaseUrl"
    | "masterKey"
    | "masterKeyPrevious"
    | "adminCredentialFile"
    | "accessTokenMaxSeconds"
    | "refreshAbsoluteMaxSeconds"
  >,
  { clock, log }: { clock: Clock; log: Log },
): Promise<string> {
  const { issuer, adminCredentialFile: path, refreshAbsoluteMaxSeconds } = config;
  if (path === undefined) {
    throw new ConfigError(["ADMIN_CREDENTIAL_FILE names the file to write the credential to"]);
  }
  const database = createDatabase({ connectionString: config.databaseUrl, max: 1, log });
  try {
    await requireMigrated(database);
    const sealer = await provenSealer(createKeysStore(database), config);
    const clients = createClientsStore(database, {
      issuer,
      longestGrantSeconds: refreshAbsoluteMaxSeconds,
    });
    const registrar = createClientRegistrar({
      clients,
      resources: createResourcesStore(database, issuer),
      secrets: createSecretMaker(),
      clock,
      limits: config,
    });
    const audit = createAuditStore(database, sealer);
    return await recoverAdmin({
      path,
      issuer,
      registrar,
      record: async (tx, target, after) =>
        audit.append(tx, {
          actor: RECOVERY_ACTOR,
          action: "client.create",
          target,
          before: null,
          after,
        }),
    });
  } finally {
    await database.close();
  }
}
