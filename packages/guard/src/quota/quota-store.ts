/**
 * Counters of quotas in PostgreSQL: exact whatever the number of instances, kept over restarts, and by
 * the database's clock alone (docs/adr/0016-quotas.md says why this is no library).
 */
import type { Database } from "@daykey/service/database/database";
import { deleteExpired } from "@daykey/service/database/delete-expired";
import { createGroupCommit } from "@daykey/service/database/group-commit";
import type { Window } from "./policy.ts";

/** Of one window. */
export interface Count {
  /** Requests it has admitted, this one among them. */
  used: number;
  /** Until it is over. */
  resetSeconds: number;
}

export interface Charged {
  isAdmitted: boolean;
  /** One a window, in order; undefined of one that was not looked at. */
  counts: readonly (Count | undefined)[];
}

export interface QuotaStore {
  /**
   * Counts a request in each of its windows when all have room, and in none when one has not.
   * @throws whatever the store does when it cannot be reached
   */
  charge(windows: readonly Window[]): Promise<Charged>;
  /** Deletes counters of windows that are over. */
  clean(): Promise<void>;
}

/** Requests that come while a commit runs share the next one. */
export function createPostgresQuotaStore(database: Database): QuotaStore {
  const charge = createGroupCommit<readonly Window[], Charged>({
    async flush(batch) {
      const lengths = new Map(batch.flat().map(({ counter, seconds }) => [counter, seconds]));
      // Every instance locks in this order.
      const counters = [...lengths.keys()].toSorted();
      const places = new Map(counters.map((counter, index) => [counter, index + 1]));
      const { rows } = await database.query<{
        moment: number;
        admitted: boolean[];
        counts: string[];
      }>({
        name: "charge",
        text: "select moment, admitted, counts from daykey_resource.charge($1, $2, $3, $4, $5)",
        values: [
          counters,
          counters.map((counter) => lengths.get(counter)),
          batch.map((windows) => windows.length),
          batch.flat().map(({ counter }) => places.get(counter)),
          batch.flat().map(({ limit }) => limit),
        ],
      });
      const [result] = rows;
      if (!result) throw new TypeError("charge: one row is due");
      const used = result.counts.values();
      return batch.map((windows, index) => ({
        isAdmitted: result.admitted[index] === true,
        counts: windows.map(({ seconds }) => ({
          used: Number(used.next().value),
          resetSeconds: resetSeconds(result.moment, seconds),
        })),
      }));
    },
  });

  return {
    charge,
    clean: () =>
      deleteExpired(database, "daykey_resource.quota_counters", "now() - interval '1 minute'"),
  };
}

/** @param now epoch seconds of the clock that counts */
export function resetSeconds(now: number, windowSeconds: number): number {
  return windowSeconds - (now % windowSeconds);
}
