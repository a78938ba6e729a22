/**
 * The one row a grant ever has: written at its first refresh, or at its revocation (docs/protocol.md
 * §2). Each method is one atomic statement in READ COMMITTED, whatever the number of instances, and
 * its times are the database's.
 */
import type { Database, Queryable } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";
import { writeEntries } from "../changes/revocation-entries-store.ts";
import { deleteExpired } from "@daykey/common/delete-expired";
import { createGroupCommit } from "@daykey/common/group-commit";
import {
  type GrantState,
  refreshOutcome,
  type RefreshOutcome,
  RETRY_WINDOW_SECONDS,
  type RevokeReason,
} from "./rules.ts";

/** A refresh token's number, presented to its grant. */
export interface Presentation {
  /** UUID. */
  grantId: string;
  clientId: string;
  seq: number;
  /** The grant's absolute end, epoch seconds. */
  expiresAt: number;
}

/** What an end met: a grant with a row that lived, one that had been ended, or none that has a row. */
export type GrantEnd = "ended" | "ended_before" | "unseen";

export interface GrantsStore {
  /** Rotates, retries, revokes or refuses; durable once it answers. */
  rotate(presentation: Presentation): Promise<RefreshOutcome>;
  /** Whether this number is the grant's newest, or its first and unused, and the grant not revoked. */
  isCurrent(grantId: string, seq: number): Promise<boolean>;
  /** Ends a grant, used or not; its row then stands until a day after `expiresAt`. */
  revoke(grant: { grantId: string; clientId: string; expiresAt: number }): Promise<GrantEnd>;
  /**
   * Ends a grant whoever holds it, used or not, for `lifeSeconds`, unless `record`, which comes last,
   * fails. One that was revoked before is left alone. Resolves with what is known of it: `unseen` when no
   * row told that there is such a grant.
   */
  end(
    grant: { grantId: string; lifeSeconds: number },
    record: (tx: Queryable) => Promise<void>,
  ): Promise<GrantEnd>;
  /** Deletes rows a day past their end, by the database's clock. */
  clean(): Promise<void>;
}

interface RotatedRow {
  id: string;
  seq_before: number | null;
  rotated_before: number | null;
  reason_before: RevokeReason | null;
  seq_after: number;
  rotated_after: number | null;
  reason_after: RevokeReason | null;
}

/**
 * Inserting carries the presented number as `excluded.seq - 1`. Rows are taken in order of id, so two
 * batches never wait for each other; a number above 0 without a row touches nothing.
 */
const ROTATE = `
with touched as (
insert into daykey.grants as g (id, client_id, seq, rotated_at, expires_at)
select id, client_id, seq + 1, now(), to_timestamp(expires_at)
from unnest($1::uuid[], $2::text[], $3::int[], $4::float8[]) as p (id, client_id, seq, expires_at)
where seq = 0 or id in (select daykey.known_grants($1))
order by id
on conflict (id) do update set
  seq = case when g.revoked_at is null and g.seq = excluded.seq - 1
    then excluded.seq else g.seq end,
  rotated_at = case when g.revoked_at is null and g.seq = excluded.seq - 1
    then excluded.rotated_at else g.rotated_at end,
  (revoked_at, revoke_reason) = (select
    case when reason is null then g.revoked_at else excluded.rotated_at end,
    coalesce(reason, g.revoke_reason)
    from (select case
      when g.revoked_at is not null then null
      when g.seq > excluded.seq then 'reuse'
      when g.seq = excluded.seq
        and excluded.rotated_at > g.rotated_at + interval '${RETRY_WINDOW_SECONDS} s' then 'late_retry'
    end as reason) as verdict)
returning new.id, new.client_id,
  old.seq as seq_before, extract(epoch from old.rotated_at)::float8 as rotated_before,
  old.revoke_reason as reason_before,
  new.seq as seq_after, extract(epoch from new.rotated_at)::float8 as rotated_after,
  new.revoke_reason as reason_after
), news as (
  ${writeEntries({
    kind: "grant",
    subject: "id",
    clientId: "client_id",
    expiresAt: "now() + make_interval(secs => $5)",
    from: "from touched where reason_before is null and reason_after is not null order by id",
    repeated: "replace",
  })}
)
select * from touched`;

/** Presentations that come while a commit runs share the next one. */
export function createGrantsStore(
  database: Database,
  {
    newsSeconds,
  }: {
    /** How long local validators hear of a revoked grant: until its last access token has ended. */
    newsSeconds: number;
  },
): GrantsStore {
  const rotate = createGroupCommit<Presentation, RefreshOutcome>({
    keyOf: ({ grantId }) => grantId,
    async flush(batch) {
      const { rows } = await database.query<RotatedRow>({
        name: "rotate-grants",
        text: ROTATE,
        values: [
          batch.map((item) => item.grantId),
          batch.map((item) => item.clientId),
          batch.map((item) => item.seq),
          batch.map((item) => item.expiresAt),
          newsSeconds,
        ],
      });
      const byId = new Map(rows.map((row) => [row.id, row]));
      return batch.map((item) => {
        const row = byId.get(item.grantId);
        return refreshOutcome(item.seq, row && stateBefore(row), row && stateAfter(row));
      });
    },
  });

  return {
    rotate,

    async isCurrent(grantId, seq) {
      const { rows } = await database.query<{ seq: number; is_revoked: boolean }>({
        name: "grant-state",
        text: "select seq, revoked_at is not null as is_revoked from daykey.grants where id = $1",
        values: [grantId],
      });
      const [row] = rows;
      return row ? row.seq === seq && !row.is_revoked : seq === 0;
    },

    async revoke({ grantId, clientId, expiresAt }) {
      const { rows } = await database.query<{ was_there: boolean; was_revoked: boolean }>({
        name: "revoke-grant",
        text: `with ended as (
                 insert into daykey.grants as g
                   (id, client_id, seq, revoked_at, revoke_reason, expires_at)
                 values ($1, $2, 0, now(), 'revoked', to_timestamp($3))
                 on conflict (id) do update set
                   revoked_at = coalesce(g.revoked_at, excluded.revoked_at),
                   revoke_reason = coalesce(g.revoke_reason, excluded.revoke_reason),
                   expires_at = greatest(g.expires_at, excluded.expires_at)
                 returning id, client_id, old.id is not null as was_there,
                   old.revoked_at is not null as was_revoked),
               news as (
                 ${writeEntries({
                   kind: "grant",
                   subject: "id",
                   clientId: "client_id",
                   expiresAt: "now() + make_interval(secs => $4)",
                   from: "from ended",
                   repeated: "keep",
                 })})
               select was_there, was_revoked from ended`,
        values: [grantId, clientId, expiresAt, newsSeconds],
      });
      return endOf(rows[0]);
    },

    async end({ grantId, lifeSeconds }, record) {
      return changeAlone(database, async (tx) => {
        // Without a row nobody here knows whose it is, and nothing asks.
        const { rows } = await tx.query<{ was_there: boolean; was_revoked: boolean }>({
          text: `insert into daykey.grants as g
                   (id, client_id, seq, revoked_at, revoke_reason, expires_at)
                 values ($1, '', 0, now(), 'revoked', now() + make_interval(secs => $2))
                 on conflict (id) do update set
                   revoked_at = coalesce(g.revoked_at, excluded.revoked_at),
                   revoke_reason = coalesce(g.revoke_reason, excluded.revoke_reason)
                 returning old.id is not null as was_there,
                   old.revoked_at is not null as was_revoked`,
          values: [grantId, lifeSeconds],
        });
        const end = endOf(rows[0]);
        if (end === "ended_before") return end;
        await tx.query({
          text: writeEntries({
            kind: "grant",
            subject: "$1",
            expiresAt: "now() + make_interval(secs => $2)",
            repeated: "keep",
          }),
          values: [grantId, newsSeconds],
        });
        await record(tx);
        return end;
      });
    },

    clean: () => deleteExpired(database, "daykey.grants", "now() - interval '1 day'"),
  };
}

function stateBefore(row: RotatedRow): GrantState | undefined {
  if (row.seq_before === null) return undefined;
  return {
    seq: row.seq_before,
    rotatedAt: row.rotated_before ?? undefined,
    revokeReason: row.reason_before ?? undefined,
  };
}

function endOf(row: { was_there: boolean; was_revoked: boolean } | undefined): GrantEnd {
  if (row?.was_revoked === true) return "ended_before";
  return row?.was_there === true ? "ended" : "unseen";
}

function stateAfter(row: RotatedRow): GrantState {
  return {
    seq: row.seq_after,
    rotatedAt: row.rotated_after ?? undefined,
    revokeReason: row.reason_after ?? undefined,
  };
}
