/** The composition root: from settings to two listeners. Tests call it with a clock of their own. */
import { type GrantType, JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT } from "@daykey/common/protocol";
import { createMetrics } from "@daykey/service/observe/metrics";
import { createHealth } from "@daykey/service/process/health";
import type { Listeners } from "@daykey/service/process/lifecycle";
import type { Surroundings } from "@daykey/service/process/run-server";
import { composeAccessKeys } from "./access-keys/compose.ts";
import { endByLimit } from "./audit/events.ts";
import { composeAudit } from "./audit/compose.ts";
import { createSetUpRecorder } from "./audit/set-up.ts";
import { composeAuthentication } from "./authentication/compose.ts";
import { composeChanges } from "./changes/compose.ts";
import type { ChangeWatcher } from "./changes/watcher.ts";
import { composeClients } from "./clients/compose.ts";
import type { AuthServerConfig } from "./config.ts";
import { composeGrants } from "./grants/compose.ts";
import { layGround } from "./ground.ts";
import { composeIssuerAccess } from "./issuer-access/compose.ts";
import { openKeyRing } from "./keys/open-key-ring.ts";
import {
  countAuditDamage,
  countEndedClients,
  countQuotaDecisions,
  measureAuthServer,
} from "./metrics.ts";
import { createPrivateEndpoints } from "./console/compose.ts";
import { createPublicEndpoints } from "./public-endpoints.ts";
import { composeRegistration } from "./registration/compose.ts";
import { composeResources } from "./resources/compose.ts";
import { composeRevocation } from "./revocation/compose.ts";
import { serve } from "./serve.ts";
import { composeTokenQuota } from "./token-quota/compose.ts";
import { composeTokens } from "./token/compose.ts";
import { composeTrust } from "./trust/compose.ts";
import { createUsageStore } from "./usage/usage-store.ts";

export interface AuthServer extends Listeners {
  /** Reads what changed in the database now, rather than within two seconds. */
  look(): Promise<void>;
}

/**
 * Starts the auth-server. What it opens is closed in the reverse order: by `stop`, and when the start fails.
 * @throws {MigrationError} on a database without its schema, {CannotUnseal} with another master key,
 *   {ListenError} when a port cannot be had
 */
export async function createAuthServer(
  settings: AuthServerConfig,
  surroundings: Surroundings,
): Promise<AuthServer> {
  await using opened = new AsyncDisposableStack();
  const ground = await layGround(settings, surroundings, opened);
  const health = createHealth(surroundings);
  const metrics = createMetrics({ name: "auth-server", ...surroundings });

  const { stored, keys, sealer, masterKey } = await openKeyRing(ground);
  const countDamage = countAuditDamage(metrics);
  const audit = await composeAudit({ ...ground, sealer, countDamage });
  const recordSetUp = await createSetUpRecorder({ audit, keys: stored, sealer });
  const { resources, directory } = await composeResources(ground);
  const isStale = () => watcher.ageSeconds() > settings.issueStaleSeconds;
  const { clients, cache } = composeClients({ ...ground, masterKey, isStale });
  const registration = await composeRegistration({ ...ground, clients, resources, recordSetUp });
  const revocation = composeRevocation(ground);
  const held = { ...revocation, keys, sealer, masterKey, metrics, cache, resources, directory };
  const known = { ...ground, ...held };
  const trust = await composeTrust(known);
  const authentication = await composeAuthentication({ ...known, ...trust });
  const watcher: ChangeWatcher = await composeChanges({
    ...ground,
    handlers: {
      clientsChanged: cache.forget,
      everythingChanged: cache.forgetAll,
      async everyLook(look) {
        clients.raiseEpochFloor(look.epochFloor);
        await revocation.liveSet.look(look);
      },
      reload: async () => {
        const shared = [keys, directory, authentication.replays, trust.trustDirectory];
        await Promise.all(shared.map((one) => one.reload()));
      },
    },
  });
  const access = composeIssuerAccess({ ...known, ...trust });
  const grants = composeGrants({
    ...known,
    recordEnd: (tx, end) => audit.append(tx, endByLimit(end)),
    countEnded: countEndedClients(metrics),
  });
  const accessKeys = await composeAccessKeys({ ...known, ...registration, ...authentication });
  const usage = createUsageStore(ground.database, ground);
  const countDecision = countQuotaDecisions(metrics);
  const tokenQuota = composeTokenQuota({ ...ground, usage, countDecision });

  const features = { ...known, ...trust, ...registration, ...authentication, ...access, ...grants };
  const isOpenGrantType = (grantType: GrantType): boolean =>
    (grantType !== JWT_BEARER_GRANT || trust.workloads.isOpen()) &&
    (grantType !== TOKEN_EXCHANGE_GRANT || settings.tokenExchange);
  const all = {
    ...features,
    ...accessKeys,
    ...tokenQuota,
    audit,
    usage,
    watcher,
    health,
    isOpenGrantType,
  };
  measureAuthServer(all);
  const listeners = await serve({
    ...all,
    ...surroundings,
    privateRouters: createPrivateEndpoints({ ...all, ...settings }),
    publicRouters: createPublicEndpoints({ ...all, ...composeTokens(all) }),
    chores: {
      rotateKeys: keys.rotate,
      cleanNonces: authentication.replays.clean,
      cleanGrants: grants.grants.clean,
      cleanRevocations: revocation.revocations.clean,
      cleanUsage: usage.clean,
      cleanTokenQuotas: tokenQuota.cleanTokenQuotas,
      writeTokenUsage: tokenQuota.tokenUsage.write,
      recordLastUsed: authentication.lastUsed.write,
      countEndingSecrets: registration.endingSecrets.count,
    },
  });
  const running = opened.move();
  return { ...listeners, look: watcher.look, stop: () => running.disposeAsync() };
}
