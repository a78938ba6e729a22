/**
 * Revocations as local validators know them (docs/protocol.md §3): what was ended, and whether a token
 * is hit by it. The auth-server sends them, resource-servers hold them; both ask the same set.
 */
export const REVOCATION_KINDS = ["grant", "client", "credential", "signing_key", "issuer"] as const;
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

/** The subject of the one `issuer` entry. */
export const ISSUER_SUBJECT = "urn:daykey:issuer";

export interface Revocation {
  kind: RevocationKind;
  /** Grant id, client id, `<client id> <kid>`, the kid of a signing key, or `ISSUER_SUBJECT`. */
  subject: string;
  /** Tokens of this client, or of all clients for the issuer, with a lower epoch are dead. */
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
  /** The grants above it, each with the key that signed its token, where a key did. */
  anc?: readonly (Omit<Revocable, "anc"> & { kid?: string })[];
}

/** Two sets with equal summaries hold the same entries, except by a chance of 2^-32. */
export interface SetSummary {
  entries: number;
  /** The sum, modulo 2^32, of FNV-1a (32 bits, UTF-8) of each entry's `<kind> <subject> <epoch>`. */
  digest: number;
  /** Epoch seconds up to which expired entries were dropped; 0 before the first time. */
  prunedAt: number;
}

/** What is known to be revoked. An entry heard twice, or in any order, changes nothing (T11). */
export interface RevocationSet {
  /** @returns false for an entry that is known already, or lower than the known one */
  add(revocation: Revocation): boolean;
  find(kind: RevocationKind, subject: string): Revocation | undefined;
  /**
   * What ended it, apart from the grants above it.
   * @param kid as of `isRevoked`
   */
  endOf(claims: Revocable, kid: string | undefined): RevocationKind | undefined;
  /**
   * Whether it, or a grant above it, was ended.
   * @param kid the signing key of a JWT, undefined for anything else
   */
  isRevoked(claims: Revocable, kid: string | undefined): boolean;
  /** Drops what has expired; the work is in proportion to what is dropped. */
  prune(now: number): void;
  summary(): SetSummary;
  /** In no order. What is added meanwhile is met too; what is dropped is not. */
  entries(): IterableIterator<Revocation>;
  readonly size: number;
}

/** Entries are dropped by tens of seconds, so that nothing has to look at those that stay. */
const BUCKET_SECONDS = 10;
const DIGEST_MODULUS = 2 ** 32;

const keyOf = (kind: RevocationKind, subject: string): string => `${kind} ${subject}`;
const bucketOf = (expiresAt: number): number => Math.floor(expiresAt / BUCKET_SECONDS);

export function createRevocationSet(entries: Iterable<Revocation> = []): RevocationSet {
  const byKey = new Map<string, Revocation>();
  /** Keys by the time at which they may expire; an entry whose end was moved is found again later. */
  const buckets = new Map<number, string[]>();
  let digest = 0;
  let prunedAt = 0;
  const change = (by: number): void => {
    digest = (digest + by + DIGEST_MODULUS) % DIGEST_MODULUS;
  };

  function add(revocation: Revocation): boolean {
    const { kind, subject, epoch, expiresAt } = revocation;
    const key = keyOf(kind, subject);
    const known = byKey.get(key);
    // The highest epoch wins, whatever the order of events.
    if (known && (known.epoch ?? 0) > (epoch ?? 0)) return false;
    if (known && known.epoch === epoch && known.expiresAt === expiresAt) {
      byKey.set(key, revocation);
      return false;
    }
    if (!known || known.epoch !== epoch) {
      if (known) change(-digestOf(known));
      change(digestOf(revocation));
    }
    byKey.set(key, revocation);
    if (expiresAt !== undefined) {
      const bucket = bucketOf(expiresAt);
      const keys = buckets.get(bucket);
      if (keys) keys.push(key);
      else buckets.set(bucket, [key]);
    }
    return true;
  }
  for (const entry of entries) add(entry);

  const isBelow = (epoch: number, known: Revocation | undefined): boolean =>
    known?.epoch !== undefined && epoch < known.epoch;

  function endOf(
    { client_id, cred, ep, gid }: Revocable,
    kid: string | undefined,
  ): RevocationKind | undefined {
    if (gid !== undefined && byKey.has(keyOf("grant", gid))) return "grant";
    if (byKey.has(keyOf("credential", `${client_id} ${cred}`))) return "credential";
    if (isBelow(ep, byKey.get(keyOf("client", client_id)))) return "client";
    if (isBelow(ep, byKey.get(keyOf("issuer", ISSUER_SUBJECT)))) return "issuer";
    return kid !== undefined && byKey.has(keyOf("signing_key", kid)) ? "signing_key" : undefined;
  }

  return {
    add,
    find: (kind, subject) => byKey.get(keyOf(kind, subject)),
    endOf,
    isRevoked(claims, kid) {
      if (byKey.size === 0) return false;
      if (endOf(claims, kid)) return true;
      return claims.anc?.some((ancestor) => endOf(ancestor, ancestor.kid)) ?? false;
    },
    prune(now) {
      prunedAt = Math.max(prunedAt, now);
      for (const [bucket, keys] of buckets) {
        if (bucket > bucketOf(now)) continue;
        const left = keys.filter((key) => {
          const known = byKey.get(key);
          if (known?.expiresAt === undefined || bucketOf(known.expiresAt) !== bucket) return false;
          if (known.expiresAt > now) return true;
          byKey.delete(key);
          change(-digestOf(known));
          return false;
        });
        if (left.length > 0) buckets.set(bucket, left);
        else buckets.delete(bucket);
      }
    },
    summary: () => ({ entries: byKey.size, digest, prunedAt }),
    entries: () => byKey.values(),
    get size() {
      return byKey.size;
    },
  };
}

const utf8 = new TextEncoder();

/** FNV-1a of 32 bits: it finds losses, and nobody's forgery. */
function digestOf({ kind, subject, epoch }: Revocation): number {
  const text = `${kind} ${subject} ${epoch ?? ""}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Almost all texts are ASCII, whose characters are their bytes.
    if (code > 0x7f) return digestOfBytes(utf8.encode(text));
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  return hash >>> 0;
}

function digestOfBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
