/** The one statement that writes entries of revocation (docs/protocol.md §3). */
import type { RevocationKind } from "@daykey/common/revocation";

/** What becomes of an entry that is there already. Whatever changes one numbers it anew and tells it again. */
const REPEATED = {
  /** It stays as it is, and is not told again: the same end, said twice. */
  keep: "do nothing",
  /** It is written anew. */
  replace: "do update set epoch = excluded.epoch, expires_at = excluded.expires_at",
  /** It ends no earlier than before, and its epoch never falls. */
  raise: `do update set epoch = greatest(r.epoch, excluded.epoch),
            expires_at = greatest(r.expires_at, excluded.expires_at)`,
};

/**
 * The text of a statement that writes one entry for each row of `from`; each part is SQL, and values are
 * parameters of whoever sends it. It runs in the transaction that does what it tells.
 */
export function writeEntries({
  kind,
  subject,
  clientId = "null::text",
  epoch = "null::integer",
  expiresAt,
  from = "",
  repeated,
}: {
  kind: RevocationKind;
  subject: string;
  /** The client that caused it, where entries of a client have a limit. */
  clientId?: string;
  epoch?: string;
  expiresAt: string;
  /** `from …`, with conditions and order; empty for one row. */
  from?: string;
  repeated: keyof typeof REPEATED;
}): string {
  return `insert into daykey.revocations as r (kind, subject, client_id, epoch, expires_at)
          select '${kind}', ${subject}, ${clientId}, ${epoch}, ${expiresAt} ${from}
          on conflict (kind, subject) ${REPEATED[repeated]}`;
}
