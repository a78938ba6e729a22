/** `recover-admin`: from the server's own settings to another admin, beside servers that run. */
import { createDatabase } from "@daykey/service/database/database";
import type { Clock } from "@daykey/common/clock";
import { ConfigError } from "@daykey/service/process/config";
import { ProblemError } from "@daykey/service/http/problem-error";
import type { Log } from "@daykey/service/observe/log";
import { createAuditStore, type Damage } from "./audit/audit-store.ts";
import { ownsHead } from "./audit/set-up.ts";
import { createClientsStore } from "./clients/clients-store.ts";
import type { AuthServerConfig } from "./config.ts";
import { createKeysStore } from "./keys/keys-store.ts";
import { requireMigrated } from "./migrate.ts";
import { provenSealer } from "./keys/proven-sealer.ts";
import { recoverAdmin, RecoveryError } from "./registration/recover-admin.ts";
import { createClientRegistrar } from "./registration/register.ts";
import { createSecretMaker } from "./registration/secrets.ts";
import { createResourcesStore } from "./resources/resources-store.ts";

/** Brackets are in no client id, so no client can be taken for it. */
const RECOVERY_ACTOR = "(recovery)";

export interface RecoveredAdmin {
  clientId: string;
  /** What was found of the audit log; the recovery is recorded past it, and `audit verify` tells of it. */
  auditDamage: Damage | undefined;
}

/**
 * Makes another admin, writes its credential to `adminCredentialFile` and tells the log. A damaged audit log does not stop
 * it: whoever damaged the log could lock all admins out otherwise.
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
): Promise<RecoveredAdmin> {
  const { issuer, adminCredentialFile: path, refreshAbsoluteMaxSeconds } = config;
  if (path === undefined) {
    throw new ConfigError(["ADMIN_CREDENTIAL_FILE names the file to write the credential to"]);
  }
  const database = createDatabase({ connectionString: config.databaseUrl, max: 1, log });
  try {
    await requireMigrated(database);
    const keys = createKeysStore(database);
    const sealer = await provenSealer(keys, config);
    const recovery = { ownsHead: await ownsHead(keys, sealer) };
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
    let auditDamage: Damage | undefined;
    const audit = createAuditStore(database, sealer, ({ damage }) => void (auditDamage = damage));
    const clientId = await recoverAdmin({
      path,
      issuer,
      registrar,
      record: async (tx, target, after) => {
        const event = { actor: RECOVERY_ACTOR, action: "client.create" as const, target };
        await audit
          .append(tx, { ...event, before: null, after }, recovery)
          .catch((cause: unknown) => {
            if (!(cause instanceof ProblemError)) throw cause;
            throw new RecoveryError(
              "The audit log is sealed under another master key, as the master key is being changed: give the new one as MASTER_KEY, this one as MASTER_KEY_PREVIOUS; nothing was changed",
              { cause },
            );
          });
      },
    });
    // A warning: whoever watches for it learns of an admin whom no admin made.
    log.warn(
      {
        event: "admin_recovered",
        reason: auditDamage === undefined ? "operator_asked" : "operator_asked_past_audit_damage",
        change: "client.create",
        target: clientId,
      },
      "an admin was made by recover-admin",
    );
    return { clientId, auditDamage };
  } finally {
    await database.close();
  }
}
