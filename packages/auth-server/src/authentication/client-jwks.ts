/**
 * Keys that clients publish themselves (`jwks_uri`), in memory. A set is read anew after 5 minutes, or
 * for a key or a signature that it does not have, but never more often than each 30 s; while its server is out, the set
 * serves on for a day. Whoever waits for one client's server keeps no other client waiting.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "@daykey/common/clock";
import type { Log } from "@daykey/service/observe/log";
import { type ClientKey, usableKeys } from "../clients/client-key.ts";
import type { FetchKeySet } from "./jwks-fetch.ts";

export interface ClientJwks {
  /**
   * The published keys that are wanted, after a fetch if that may find some. Never rejects: a fetch
   * that fails is logged and leaves what was there.
   */
  find(uri: string, isWanted: (key: ClientKey) => boolean): Promise<readonly ClientKey[]>;
  /**
   * The wanted keys of a set that is newer than what `find` gave, for a signature that fits none of
   * those; none when it is too early to fetch. Never rejects.
   */
  findAgain(uri: string, isWanted: (key: ClientKey) => boolean): Promise<readonly ClientKey[]>;
}

const FRESH_SECONDS = 300;
const COOLDOWN_SECONDS = 30;
const OUTAGE_SECONDS = 86_400;
/** A check of an assertion without a kid tries every key. */
const MAX_KEYS = 20;
/** Judging a key takes up to 2 ms; what stands behind these is not looked at. */
const MAX_MEMBERS = 50;

interface KeySet {
  keys: readonly ClientKey[];
  fetchedAt: number;
  triedAt: number;
  fetching: Promise<void> | undefined;
}

export function createClientJwks({
  fetchKeySet,
  capacity,
  clock,
  log,
}: {
  fetchKeySet: FetchKeySet;
  /** Sets held. */
  capacity: number;
  clock: Clock;
  log: Log;
}): ClientJwks {
  const sets = new LRUCache<string, KeySet>({ max: capacity });

  function setOf(uri: string): KeySet {
    let set = sets.get(uri);
    if (!set) {
      set = { keys: [], fetchedAt: -Infinity, triedAt: -Infinity, fetching: undefined };
      sets.set(uri, set);
    }
    return set;
  }

  /** A clock that was set back makes everything old. */
  function secondsSince(at: number): number {
    const passed = clock() - at;
    return passed < 0 ? Infinity : passed;
  }

  /** Shared by all who ask meanwhile; nothing at all so soon after the last try. */
  async function fetchIfMay(uri: string, set: KeySet): Promise<void> {
    if (!set.fetching && secondsSince(set.triedAt) < COOLDOWN_SECONDS) return;
    set.fetching ??= (async () => {
      set.triedAt = clock();
      try {
        const faults = new Set<string>();
        const members = (await fetchKeySet(uri)).slice(0, MAX_MEMBERS);
        set.keys = usableKeys(members, (fault) => faults.add(fault)).slice(0, MAX_KEYS);
        set.fetchedAt = set.triedAt;
        if (faults.size > 0) {
          const event = "client_jwks_key_passed_over";
          log.warn({ event, uri, reasons: [...faults] }, "a client publishes a key of no use");
        }
      } catch (error) {
        log.warn({ event: "client_jwks_unread", uri, err: error }, "cannot fetch a client's keys");
      } finally {
        set.fetching = undefined;
      }
    })();
    await set.fetching;
  }

  return {
    async findAgain(uri, isWanted) {
      const set = setOf(uri);
      const before = set.keys;
      await fetchIfMay(uri, set);
      return set.keys === before ? [] : set.keys.filter(isWanted);
    },

    async find(uri, isWanted) {
      const set = setOf(uri);
      const wanted = (): ClientKey[] =>
        secondsSince(set.fetchedAt) < OUTAGE_SECONDS ? set.keys.filter(isWanted) : [];
      if (secondsSince(set.fetchedAt) >= FRESH_SECONDS) await fetchIfMay(uri, set);
      if (wanted().length === 0) await fetchIfMay(uri, set);
      return wanted();
    },
  };
}
