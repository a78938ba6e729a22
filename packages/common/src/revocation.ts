/**
 * Revocations as local validators know them (docs/protocol.md §3): what was ended, and whether a token
 * is hit by it. The auth-server sends them, resource-servers hold them; both ask the same set.
 */
export const REVOCATION_KINDS = ["grant", "client", "credential", "signing_key"] as const;
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

export interface Revocation {
  kind: RevocationKind;
  /** Grant id, client id, `<client id> <kid>`, or the kid of a signing key. */
  subject: string;
  /** Of a client: tokens with a lower epoch are dead. */
  epoch: number | undefined;
  /** Epoch seconds after which no token it hits can be alive; undefined: never dropped. */
  expiresAt: number | undefined;
}

/** What a revocation can hit: an access token, or a key, which belongs to no grant. */
export interface Revocable {
  client_id: string;
  /** The kid of the credential that opened the grant, or the key's id. */
  cred: string;
  /** The client's epoch when it was issued or resolved. */
  ep: number;
  gid?: string;
}

/** What is known to be revoked. An entry heard twice, or in any order, changes nothing (T11). */
export interface RevocationSet {
  add(revocation: Revocation): void;
  /** @param kid the signing key of a JWT, undefined for anything else */
  isRevoked(claims: Revocable, kid: string | undefined): boolean;
  /** Drops what has expired. */
  prune(now: number): void;
  readonly size: number;
}

export function createRevocationSet(entries: Iterable<Revocation> = []): RevocationSet {
  const byKey = new Map<string, Revocation>();
  const keyOf = (kind: RevocationKind, subject: string): string => `${kind} ${subject}`;

  function add(revocation: Revocation): void {
    const key = keyOf(revocation.kind, revocation.subject);
    const known = byKey.get(key);
    // The highest epoch wins, whatever the order of events.
    if (known && (known.epoch ?? 0) > (revocation.epoch ?? 0)) return;
    byKey.set(key, revocation);
  }
  for (const entry of entries) add(entry);

  return {
    add,
    isRevoked(claims, kid) {
      if (byKey.size === 0) return false;
      const client = byKey.get(keyOf("client", claims.client_id));
      return (
        (claims.gid !== undefined && byKey.has(keyOf("grant", claims.gid))) ||
        byKey.has(keyOf("credential", `${claims.client_id} ${claims.cred}`)) ||
        (client?.epoch !== undefined && claims.ep < client.epoch) ||
        (kid !== undefined && byKey.has(keyOf("signing_key", kid)))
      );
    },
    prune(now) {
      for (const [key, { expiresAt }] of byKey) {
        if (expiresAt !== undefined && expiresAt <= now) byKey.delete(key);
      }
    },
    get size() {
      return byKey.size;
    },
  };
}
