/**
 * The audit log: one row a change, in the transaction of the change, chained by hashes. The role that
 * serves can only read and add rows. The number and hash of the last row stand once more in the head,
 * sealed under the master key, and new rows go on from there.
 *
 * `verify` finds a changed, missing, moved or foreign row, the newest ones too, and a chain that was
 * recomputed from some row on, since its end is not what the head seals. It cannot find that all of
 * the log and its head were put back to an earlier state, or emptied: for that, keep the `head` it
 * answers somewhere else. Against someone who has the master key as well, nothing here helps.
 */
import type { Database, Queryable } from "@daykey/service/database/database";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import {
  type AuditEntries,
  type AuditPage,
  type AuditRow,
  COLUMNS,
  listEntries,
  UTC,
} from "./audit-entries-store.ts";
import { type ChainedRow, GENESIS, hashOf } from "./chain.ts";
import { type AuditAction, type AuditEvent, type AuditFact, ENDING_ACTIONS } from "./events.ts";

export interface AuditEntry extends ChainedRow {
  /** 64 lowercase hex. */
  hash: string;
}

export type Verdict =
  | { valid: true; rows: number; head: string }
  | { valid: false; firstBadSeq: number; reason: Fault };

/**
 * `changed`: not what was hashed, or moved here. `missing`: a number is not there. `unknown`: a row after
 * the last one that this server wrote. `rewritten`: a whole chain, but another one. `head`: the head is
 * gone or was altered.
 */
export type Fault = "changed" | "missing" | "unknown" | "rewritten" | "head";

export interface AuditStore {
  /**
   * Adds a row; nothing may be written after it in its transaction, as it holds the log's lock. Where
   * the log is damaged an end of access is recorded past the damage, which its row names: `verify` tells
   * of it from then on.
   * @param recovery of an admin: it is recorded past the damage as well, or damage would lock all out
   * @throws {ProblemError} 503 when the head is gone or altered or its next number taken: what cannot be
   *   recorded is not done
   */
  append(tx: Queryable, event: AuditEvent, recovery?: Recovery): Promise<void>;
  /** A page, newest first (`audit-entries-store.ts`). */
  list(page: AuditPage): Promise<AuditEntries>;
  verify(): Promise<Verdict>;
  /** Seals the head anew when the previous master key sealed it. */
  reseal(): Promise<void>;
}

/** `keys/sealing.ts`, as far as it is used here. */
export interface HeadSealer {
  seal(plaintext: Buffer, place: { table: string; row: string }): Buffer;
  open(sealed: Buffer, place: { table: string; row: string }): Buffer;
  isCurrent(sealed: Buffer): boolean;
  knows(sealed: Buffer): boolean;
}

export interface Recovery {
  /**
   * Whether all else in the database is sealed under this master key. Then a head that names another one is
   * damage; otherwise the master key is being changed, and nothing is sealed over it.
   */
  ownsHead: boolean;
}

/** `unknown`: a row that this server did not write has the next number. `head`: gone or altered. */
export type Damage = "unknown" | "head";

/** Told of each change that met a damaged log. */
export type OnDamage = (facts: {
  damage: Damage;
  action: AuditAction;
  outcome: "refused" | "recorded";
}) => void;

/** What a row is added to. */
interface Base extends Head {
  /** The time and the number of the new row. */
  at: string;
  next: number;
  damage: Damage | undefined;
}

interface Head {
  seq: number;
  hash: Buffer;
}

/** Serialises every addition; the number only has to be ours. */
const AUDIT_LOCK = 0x61756474;

const PLACE = { table: "audit_head", row: "head" };
const VERIFY_ROWS = 500;

export function createAuditStore(
  database: Database,
  sealer: HeadSealer,
  onDamage: OnDamage = () => undefined,
): AuditStore {
  /** @throws {CannotUnseal} when it was altered */
  function openHead(sealed: Buffer): Head {
    const bytes = sealer.open(sealed, PLACE);
    return { seq: Number(bytes.readBigUInt64BE()), hash: bytes.subarray(8) };
  }

  function sealHead({ seq, hash }: Head): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(seq));
    return sealer.seal(Buffer.concat([bytes, hash]), PLACE);
  }

  /** The head, never the last row there: rows that were deleted so leave a gap for good. */
  async function baseOf(tx: Queryable, recovery: Recovery | undefined): Promise<Base> {
    const { rows } = await tx.query<{ sealed: Buffer | null; is_empty: boolean; at: string }>({
      text: `select (select sealed from daykey.audit_head) as sealed,
               not exists (select from daykey.audit_log) as is_empty,
               to_char(clock_timestamp() at time zone 'UTC', ${UTC}) as at`,
    });
    const [state] = rows;
    if (!state) throw new Error("a select without from has a row");
    const { sealed, is_empty: isEmpty, at } = state;
    const isFirst = sealed === null && isEmpty;
    const head = isFirst ? { seq: 0, hash: GENESIS } : sealed && tryTo(() => openHead(sealed));
    if (head) {
      const next = await firstFree(tx, head.seq);
      return { ...head, at, next, damage: next === head.seq + 1 ? undefined : "unknown" };
    }
    // Another master key's: this instance has the old one alone, and must not seal over the new one.
    if (sealed && !sealer.knows(sealed) && recovery?.ownsHead !== true) throw damaged("head");
    const { rows: last } = await tx.query<Head>({
      text: `select seq::float8 as seq, hash from daykey.audit_log
             where seq < ${Number.MAX_SAFE_INTEGER / 2} order by audit_log.seq desc limit 1`,
    });
    const base = last[0] ?? { seq: 0, hash: GENESIS };
    return { ...base, at, next: await firstFree(tx, base.seq), damage: "head" };
  }

  /** The first number after `seq` that no row has. */
  async function firstFree(tx: Queryable, seq: number): Promise<number> {
    const { rows } = await tx.query<{ seq: number }>({
      text: `select (a.seq + 1)::float8 as seq from (
               select $1::bigint as seq union all select seq from daykey.audit_log
               where seq > $1 and seq < ${Number.MAX_SAFE_INTEGER}
             ) a
             where not exists (select from daykey.audit_log b where b.seq = a.seq + 1)
             order by a.seq limit 1`,
      values: [seq],
    });
    return rows[0]?.seq ?? seq + 1;
  }

  async function rowsAfter(seq: number): Promise<AuditRow[]> {
    const { rows } = await database.query<AuditRow>({
      text: `select ${COLUMNS} from daykey.audit_log where seq > $1 order by seq limit ${VERIFY_ROWS}`,
      values: [seq],
    });
    return rows;
  }

  /** Walks the rows from the first up to the head's, or to where they end. */
  async function walk(last: number): Promise<Head | { firstBadSeq: number; reason: Fault }> {
    let seen: Head = { seq: 0, hash: GENESIS };
    while (seen.seq < last) {
      const rows = await rowsAfter(seen.seq);
      if (rows.length === 0) return { firstBadSeq: seen.seq + 1, reason: "missing" };
      for (const row of rows) {
        if (row.seq > last) break;
        const { follows, damage } = factsOf(row);
        // Past what had taken its number, and was removed since.
        const isNext = row.seq === seen.seq + 1 || follows === seen.seq;
        if (!isNext) return { firstBadSeq: seen.seq + 1, reason: "missing" };
        // What another wrote can be nested so deep that it has no canonical form here.
        if (tryTo(() => hashOf(seen.hash, row))?.equals(row.hash) !== true) {
          return { firstBadSeq: row.seq, reason: "changed" };
        }
        if (damage === "head") return { firstBadSeq: row.seq, reason: "head" };
        seen = { seq: row.seq, hash: row.hash };
      }
    }
    return seen;
  }

  return {
    async append(tx, { actor, action, target, before, after }, recovery) {
      await tx.query({ text: "select pg_advisory_xact_lock($1)", values: [AUDIT_LOCK] });
      const base = await baseOf(tx, recovery);
      const { damage, seq: follows } = base;
      if (damage !== undefined) {
        const isRecorded = ENDING_ACTIONS.has(action) || recovery !== undefined;
        onDamage({ damage, action, outcome: isRecorded ? "recorded" : "refused" });
        if (!isRecorded) throw damaged(damage);
      }
      const detail: AuditFact = { before, after, ...(damage && { damage, follows }) };
      const row: ChainedRow = { seq: base.next, at: base.at, actor, action, target, detail };
      const hash = hashOf(base.hash, row);
      await tx.query({
        text: `with added as (
                 insert into daykey.audit_log (seq, at, actor, action, target, detail, hash)
                 values ($1, $2::timestamptz, $3, $4, $5, $6, $7))
               insert into daykey.audit_head (sealed) values ($8)
               on conflict (singleton) do update set sealed = excluded.sealed`,
        values: [
          row.seq,
          row.at,
          actor,
          action,
          target,
          JSON.stringify(detail),
          hash,
          sealHead({ seq: row.seq, hash }),
        ],
      });
    },

    list: async (page) => listEntries(database, page),

    async verify() {
      // One snapshot: what is added later is not judged.
      const { rows } = await database.query<{ sealed: Buffer | null; newest: number }>({
        text: `select (select sealed from daykey.audit_head) as sealed,
                 coalesce((select max(seq) from daykey.audit_log), 0)::float8 as newest`,
      });
      const { sealed = null, newest = 0 } = rows[0] ?? {};
      if (sealed === null && newest === 0)
        return { valid: true, rows: 0, head: GENESIS.toString("hex") };
      const head = sealed === null ? undefined : tryTo(() => openHead(sealed));
      const walked = await walk(head?.seq ?? newest);
      if ("reason" in walked) return { valid: false, ...walked };
      if (!head) return { valid: false, firstBadSeq: newest, reason: "head" };
      if (!walked.hash.equals(head.hash)) {
        return { valid: false, firstBadSeq: head.seq, reason: "rewritten" };
      }
      if (newest > head.seq) return { valid: false, firstBadSeq: head.seq + 1, reason: "unknown" };
      return { valid: true, rows: head.seq, head: head.hash.toString("hex") };
    },

    async reseal() {
      await database.transaction(async (tx) => {
        await tx.query({ text: "select pg_advisory_xact_lock($1)", values: [AUDIT_LOCK] });
        const { rows } = await tx.query<{ sealed: Buffer }>({
          text: "select sealed from daykey.audit_head",
        });
        const [row] = rows;
        if (!row || sealer.isCurrent(row.sealed)) return;
        const head = tryTo(() => openHead(row.sealed));
        // An altered one stays as it is, for `verify` to find.
        if (!head) return;
        await tx.query({
          text: "update daykey.audit_head set sealed = $1",
          values: [sealHead(head)],
        });
      });
    },
  };
}

/** Another's row may hold any JSON. */
function factsOf({ detail }: AuditRow): Record<string, AuditFact> {
  const isObject = typeof detail === "object" && detail !== null;
  return isObject ? (detail as Record<string, AuditFact>) : {};
}

function damaged(damage: Damage): ProblemError {
  const what =
    damage === "head"
      ? "Its head is missing or altered."
      : "It holds an entry that this server did not write.";
  return problem("audit-log-damaged", {
    detail: `${what} Nothing is changed that cannot be recorded. What ends access still works.`,
    reason: `audit_${damage}`,
  });
}

function tryTo<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
