/** Quotas on issuing, put together: which store counts, and what does while it is down. */
import type { Clock } from "@daykey/common/clock";
import { withDeadline } from "@daykey/common/deadline";
import { createPostgresQuotas } from "@daykey/guard/postgres-store";
import { createChargeWindows, type QuotaDecision } from "@daykey/guard/quota/charge";
import { createMemoryQuota } from "@daykey/guard/quota/memory-quota";
import type { QuotaStore } from "@daykey/guard/quota/quota-store";
import { createRedisStore } from "@daykey/guard/redis-store";
import type { Ground } from "../ground.ts";
import type { UsageStore } from "../usage/usage-store.ts";
import { createSpendToken, type SpendToken } from "./spend.ts";
import { createTokenUsage, type TokenUsage } from "./usage.ts";

export interface TokenQuota {
  spendToken: SpendToken;
  tokenUsage: TokenUsage;
  /** Deletes counters of windows that are over. */
  cleanTokenQuotas(): Promise<void>;
}

/** A token waits for the store, and is decided without it after this. */
const STORE_SECONDS = 1;
const elapsed: Clock = () => performance.now() / 1000;

export function composeTokenQuota({
  settings,
  issuer,
  database,
  redis,
  clock,
  log,
  opened,
  usage,
  countDecision,
}: Pick<Ground, "settings" | "issuer" | "database" | "redis" | "clock" | "log" | "opened"> & {
  usage: Pick<UsageStore, "add">;
  countDecision: (decision: QuotaDecision) => void;
}): TokenQuota {
  const store = redis
    ? createRedisStore(redis, clock).quotas
    : createPostgresQuotas(database, "daykey");
  const tokenUsage = createTokenUsage({ usage, issuer, clock });
  opened.defer(async () => {
    await tokenUsage.write().catch((error: unknown) => {
      log.warn({ event: "usage_unreported", err: error }, "usage of tokens is lost");
    });
  });
  const charge = createChargeWindows({
    store: withinDeadline(store),
    insurance: createMemoryQuota(clock),
    settings: settings.quota,
    elapsed,
    log,
    count: countDecision,
  });
  return {
    spendToken: createSpendToken({ charge, usage: tokenUsage }),
    tokenUsage,
    cleanTokenQuotas: store.clean,
  };
}

/** One that does not answer is one that is down. */
function withinDeadline({ charge, clean }: QuotaStore): QuotaStore {
  return {
    charge: (windows) => withDeadline(() => charge(windows), { seconds: STORE_SECONDS }),
    clean,
  };
}
