/**
 * Keys that clients publish themselves (`jwks_uri`), and those of trusted issuers, in memory. A set is read anew after 5 minutes, or
 * for a key or a signature that it does not have, but never more often than each 30 s; while its server is out, the set
 * serves on for a day. Whoever waits for one server keeps nobody waiting for another.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "@daykey/common/clock";
import type { Log } from "@daykey/service/observe/log";
import { type ClientKey, usablePublishedKeys } from "../clients/client-key.ts";

/** A key set that says for how long it is fresh. */
export interface FetchedKeys {
  members: readonly unknown[];
  freshSeconds: number | undefined;
}

/** @throws whatever keeps the set from being read: it is logged */
export type FetchKeys = (uri: string) => Promise<readonly unknown[] | FetchedKeys>;

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
  /** Whether no set is known that may still be used: it was never read, or too long ago. */
  isUnread(uri: string): boolean;
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
  freshSeconds: number;
  fetchedAt: number;
  triedAt: number;
  fetching: Promise<void> | undefined;
}

export function createClientJwks({
  fetchKeySet,
  capacity,
  whose = "client",
  clock,
  log,
}: {
  fetchKeySet: FetchKeys;
  /** Sets held. */
  capacity: number;
  /** Begins the names of events in the log. */
  whose?: "client" | "issuer";
  clock: Clock;
  log: Log;
}): ClientJwks {
  const sets = new LRUCache<string, KeySet>({ max: capacity });

  function setOf(uri: string): KeySet {
    let set = sets.get(uri);
    if (!set) {
      set = {
        keys: [],
        freshSeconds: FRESH_SECONDS,
        fetchedAt: -Infinity,
        triedAt: -Infinity,
        fetching: undefined,
      };
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
        const fetched = await fetchKeySet(uri);
        const members = "members" in fetched ? fetched.members : fetched;
        const considered = members.slice(0, MAX_MEMBERS);
        const passOver = (fault: string): unknown => faults.add(fault);
        set.keys = await usablePublishedKeys(considered, { most: MAX_KEYS, passOver });
        set.freshSeconds = ("members" in fetched && fetched.freshSeconds) || FRESH_SECONDS;
        set.fetchedAt = set.triedAt;
        if (faults.size > 0) {
          const event = `${whose}_jwks_key_passed_over`;
          log.warn({ event, uri, reasons: [...faults] }, `the ${whose} publishes a key of no use`);
        }
      } catch (error) {
        const event = `${whose}_jwks_unread`;
        log.warn({ event, uri, err: error }, `cannot fetch the keys of the ${whose}`);
      } finally {
        set.fetching = undefined;
      }
    })();
    await set.fetching;
  }

  const isHeld = (set: KeySet): boolean => secondsSince(set.fetchedAt) < OUTAGE_SECONDS;

  return {
    isUnread: (uri) => !isHeld(setOf(uri)),

    async findAgain(uri, isWanted) {
      const set = setOf(uri);
      const before = set.keys;
      await fetchIfMay(uri, set);
      return set.keys === before ? [] : set.keys.filter(isWanted);
    },

    async find(uri, isWanted) {
      const set = setOf(uri);
      const wanted = (): ClientKey[] => (isHeld(set) ? set.keys.filter(isWanted) : []);
      if (secondsSince(set.fetchedAt) >= set.freshSeconds) await fetchIfMay(uri, set);
      if (wanted().length === 0) await fetchIfMay(uri, set);
      return wanted();
    },
  };
}
