/**
 * Tells who watches that clients are about to be locked out because their last secret ends, or are since
 * it ended: their number for the metric, and their names in the log.
 */
import { type Clock, DAY_SECONDS, formatInstant } from "@daykey/common/clock";
import type { Log } from "@daykey/service/observe/log";
import type { EndingPlace, EndingSecret, EndingSecretsStore } from "./ending-secrets-store.ts";

/** Counting walks the index of all secrets that are not revoked. */
const COUNT_SECONDS = 3600;
const NAMED_WITHIN_SECONDS = 30 * DAY_SECONDS;
const NAMED_CLIENTS = 20;

export interface EndingSecrets {
  /** By how soon: "ended", "7d", "30d". Empty until first counted. */
  counts(): Readonly<Record<string, number>>;
  /** Counts, unless that was done within the hour, and names clients in the log once a day, whichever process does. */
  count(): Promise<void>;
}

export function createEndingSecrets({
  store,
  clock,
  log,
}: {
  store: EndingSecretsStore;
  clock: Clock;
  log: Log;
}): EndingSecrets {
  let counts: Readonly<Record<string, number>> = {};
  let countedAt = -Infinity;

  /** Those that ended first come first; who asks for all of them uses the admin API. */
  async function name(): Promise<void> {
    const named: EndingSecret[] = [];
    let after: EndingPlace | undefined;
    do {
      const page = await store.ending({
        withinSeconds: NAMED_WITHIN_SECONDS,
        limit: NAMED_CLIENTS - named.length,
        after,
      });
      named.push(...page.secrets);
      after = page.next;
    } while (after !== undefined && named.length < NAMED_CLIENTS);
    log.warn(
      {
        event: "secrets_ending",
        ...counts,
        clients: named.map(({ clientId, kid, expiresAt }) => ({
          client: clientId,
          kid,
          ends: formatInstant(expiresAt),
        })),
      },
      "the last secrets of clients end soon or have ended: daykey secrets ending",
    );
  }

  return {
    counts: () => counts,
    async count() {
      const now = clock();
      if (now - countedAt < COUNT_SECONDS) return;
      const { ended, week, month } = await store.endingCounts();
      counts = { ended, "7d": week, "30d": month };
      countedAt = now;
      if (ended + month > 0 && (await store.claimNaming(now))) await name();
    },
  };
}
