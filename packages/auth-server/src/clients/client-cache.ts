/**
 * Clients in memory, so that a token by the day form awaits no row. Bounded; absence is kept like
 * presence, with the same shape and the same work to check (docs/protocol.md §1, "One answer").
 * The change watcher says what to forget; verifiers are held for three days around today only.
 */
import { createHmac } from "node:crypto";
import { LRUCache } from "lru-cache";
import { acceptedDays, type Clock, dayOf, formatDay } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import type { Client, SecretSlot, SecretSlots } from "./client.ts";
import type { ClientKey } from "./client-key.ts";
import type { ClientsStore, LiveSecret } from "./clients-store.ts";

/** What is known of a client id: the client, or that there is none. */
export interface ClientEntry {
  client: Client | undefined;
  slots: SecretSlots;
  /** The days the slots' verifiers are for: `firstDay`, + 1 and + 2. */
  firstDay: number;
  /** Registered and not revoked, newest first. */
  keys: readonly ClientKey[];
  /** For a client with a `jwksUri`: kids that none of its published keys can have. */
  takenKids: ReadonlySet<string>;
}

export interface ClientCache {
  /**
   * The entry of a client id, with verifiers for both days a hash may be dated now.
   * @throws {OAuthError} temporarily_unavailable when the database was not read for too long
   * @throws {DatabaseUnavailable} when the entry is not here and cannot be read
   */
  find(clientId: string): Promise<ClientEntry>;
  /** Forgets these clients; of a few, those that were here are read again in the background. */
  forget(clientIds: readonly string[]): void;
  forgetAll(): void;
}

const DAYS_HELD = 3;

/** More changed clients than this are read again when they are asked for, not all at once. */
const READ_AHEAD = 50;

export function createClientCache({
  store,
  clock,
  enumerationKey,
  capacity,
  isStale,
}: {
  store: ClientsStore;
  clock: Clock;
  /** HMAC key of the fake verifiers. */
  enumerationKey: Buffer;
  /** Entries held for clients, and as many again for absent ones. */
  capacity: number;
  /** Whether the database was not read for so long that nothing here may be trusted. */
  isStale: () => boolean;
}): ClientCache {
  // Apart, so that a flood of unknown ids pushes no client out.
  const present = new LRUCache<string, ClientEntry>({ max: capacity });
  const absent = new LRUCache<string, ClientEntry>({ max: capacity });
  const loading = new Map<string, Promise<ClientEntry>>();

  function fakeVerifier(clientId: string, slot: number, day: number): Buffer {
    return createHmac("sha256", enumerationKey)
      .update(`${clientId}\n${slot}\n${formatDay(day)}`)
      .digest();
  }

  /** A salt that an absent secret always shows to the checks, as a present one does. */
  function fakeSalt(clientId: string, slot: number): string {
    return createHmac("sha256", enumerationKey)
      .update(`${clientId}\n${slot}\nsalt`)
      .digest("hex")
      .slice(0, 32);
  }

  function toSlot(
    clientId: string,
    index: number,
    firstDay: number,
    secret: LiveSecret | undefined,
  ): SecretSlot {
    const days = Array.from({ length: DAYS_HELD }, (_, i) => firstDay + i);
    return {
      kid: secret?.kid ?? "",
      salt: secret?.salt ?? fakeSalt(clientId, index),
      expiresAt: secret?.expiresAt ?? 0,
      isImported: secret?.isImported ?? false,
      verifiers: days.map(
        (day) => secret?.verifiers.get(day) ?? fakeVerifier(clientId, index, day),
      ),
      // No fakes: what is not there is compared with zeros, for present and absent clients alike.
      seedVerifiers: days.map((day) => secret?.seedVerifiers.get(day)),
    };
  }

  function load(clientId: string): Promise<ClientEntry> {
    const underWay = loading.get(clientId);
    if (underWay) return underWay;
    const started = read(clientId).finally(() => {
      if (loading.get(clientId) === started) loading.delete(clientId);
    });
    loading.set(clientId, started);
    return started;

    async function read(id: string): Promise<ClientEntry> {
      const now = clock();
      const firstDay = dayOf(now) - 1;
      const found = await store.find(id, { now, firstDay });
      const entry: ClientEntry = {
        client: found?.client,
        slots: [
          toSlot(id, 0, firstDay, found?.secrets[0]),
          toSlot(id, 1, firstDay, found?.secrets[1]),
        ],
        firstDay,
        keys: found?.keys ?? [],
        takenKids: found?.takenKids ?? new Set(),
      };
      // Forgotten while it was read: it serves who waits, but is not kept.
      if (loading.get(id) === started) {
        (entry.client ? present : absent).set(id, entry);
        (entry.client ? absent : present).delete(id);
      }
      return entry;
    }
  }

  return {
    async find(clientId) {
      if (isStale()) {
        throw new OAuthError(
          "temporarily_unavailable",
          "The server cannot answer now. Try again.",
          {
            detail: "cache_stale",
            headers: { "Retry-After": "2" },
          },
        );
      }
      const entry = present.get(clientId) ?? absent.get(clientId);
      const now = clock();
      if (!entry || !covers(entry, now)) return load(clientId);
      // Yesterday's entry still holds tomorrow's verifiers: it serves while it is read anew.
      if (entry.firstDay !== dayOf(now) - 1) load(clientId).catch(() => undefined);
      return entry;
    },

    forget(clientIds) {
      const isFew = clientIds.length <= READ_AHEAD;
      for (const id of clientIds) {
        const wasHere = present.delete(id);
        absent.delete(id);
        // A read that began before the change may miss it: let it go and start another.
        const wasLoading = loading.delete(id);
        if (!isFew) continue;
        if (wasHere || wasLoading) load(id).catch(() => undefined);
      }
    },

    forgetAll() {
      present.clear();
      absent.clear();
      loading.clear();
    },
  };
}

function covers(entry: ClientEntry, now: number): boolean {
  return acceptedDays(now).every(
    (day) => day >= entry.firstDay && day < entry.firstDay + DAYS_HELD,
  );
}
