import type { Revocation, RevocationKind } from "@daykey/common/revocation";
import type { Database, Queryable } from "@daykey/service/database/database";
import { deleteExpired } from "@daykey/common/delete-expired";
import { changeAlone } from "../changes/changes-store.ts";
import { tellClientEnded } from "../clients/client-ended-store.ts";

/** Which entries end after one moment and up to another: by their count, and the sum of their changes. */
export interface Slice {
  /** Epoch seconds. */
  after: number;
  /** Epoch seconds; infinite: those that never end too. */
  upTo: number;
  entries: number;
  changes: number;
}

/** An entry and the number of the change that wrote it; 0 for one from before such numbers. */
export type NumberedRevocation = Revocation & { change: number };

export interface RevocationsStore {
  /**
   * Every entry that ends after this, by default the database's now, in pages: each is a statement of
   * its own.
   */
  live(expiresAfter?: number): AsyncIterable<NumberedRevocation[]>;
  /**
   * Entries written after this change, those that ended by it too. Numbers are in commit order, so
   * none is missing up to `readTo`. One page: ask again from there while there is more.
   */
  since(
    change: number,
  ): Promise<{ entries: NumberedRevocation[]; readTo: number; hasMore: boolean }>;
  /** Whether the entries that were stored up to this change and end in a slice are these. */
  isSlice(slice: Slice, change: number): Promise<boolean>;
  /**
   * When this client has caused more than `limit` live entries: raises its epoch, which is one entry and
   * ends all its tokens, and lets the others go. `record` is called last in the transaction.
   * @returns whether that was done
   */
  foldIntoClient(
    clientId: string,
    limit: number,
    record: (tx: Queryable, epoch: number) => Promise<void>,
  ): Promise<boolean>;
  /** Deletes what has expired, by the database's clock. */
  clean(): Promise<void>;
}

interface Row {
  kind: RevocationKind;
  subject: string;
  epoch: number | null;
  expires_at: number | null;
  change: number;
}

const COLUMNS = `kind, subject, epoch, coalesce(change, 0)::float8 as change,
  case when expires_at < 'infinity' then extract(epoch from expires_at)::float8 end as expires_at`;

/** Rows a page: a few milliseconds of the event loop. */
const PAGE = 2000;

/** Entries that are let go end so soon, and are not counted from then on: every reader hears it before. */
const ENDING_SECONDS = 60;

export function createRevocationsStore(
  database: Database,
  {
    newsSeconds,
  }: {
    /** How long an entry lives: until the last access token it hits has ended. */
    newsSeconds: number;
  },
): RevocationsStore {
  /** By the clock and not by the transaction's start: one that waited for the lock sees what was let go. */
  async function isPast({ query }: Queryable, clientId: string, limit: number): Promise<boolean> {
    const { rowCount } = await query({
      name: "own-revocations",
      text: `select from daykey.revocations
             where client_id = $1 and expires_at > clock_timestamp() + interval '${ENDING_SECONDS} s'
             limit $2`,
      values: [clientId, limit + 1],
    });
    return rowCount > limit;
  }

  return {
    async *live(expiresAfter) {
      const read = ({ kind, subject }: Pick<Row, "subject"> & { kind: string }) => {
        const page = database.query<Row>({
          name: "live-revocations-page",
          text: `select ${COLUMNS} from daykey.revocations
                 where (kind, subject) > ($1, $2)
                   and expires_at > coalesce(to_timestamp($3), now())
                 order by kind, subject limit ${PAGE}`,
          values: [kind, subject, expiresAfter ?? null],
        });
        // Whoever wants no more pages does not wait for the next one.
        page.catch(() => {});
        return page;
      };
      for (let page = read({ kind: "", subject: "" }); ;) {
        const { rows } = await page;
        const last = rows.at(-1);
        const isLast = !last || rows.length < PAGE;
        // The database reads the next one meanwhile.
        if (!isLast) page = read(last);
        yield rows.map(fromRow);
        if (isLast) return;
      }
    },

    async since(change) {
      // All rows of one change belong together: a page ends between two.
      const { rows } = await database.query<Row>({
        name: "revocations-since",
        text: `select ${COLUMNS} from daykey.revocations where change > $1
               order by revocations.change fetch first ${PAGE} rows with ties`,
        values: [change],
      });
      const readTo = rows.at(-1)?.change ?? change;
      return { entries: rows.map(fromRow), readTo, hasMore: rows.length >= PAGE };
    },

    async isSlice({ after, upTo, entries, changes }, change) {
      const { rows } = await database.query<Pick<Slice, "entries" | "changes">>({
        name: "revocations-slice",
        text: `select count(*)::int as entries, coalesce(sum(change), 0)::float8 as changes
               from daykey.revocations
               where expires_at > to_timestamp($2) and expires_at <= to_timestamp($3)
                 and coalesce(change, 0) <= $1`,
        values: [change, after, upTo],
      });
      return rows[0]?.entries === entries && rows[0].changes === changes;
    },

    async foldIntoClient(clientId, limit, record) {
      if (!(await isPast(database, clientId, limit))) return false;
      return changeAlone(database, async (tx) => {
        // When several run at once, only one folds.
        await tx.query({
          text: "select from daykey.clients where client_id = $1 for update",
          values: [clientId],
        });
        if (!(await isPast(tx, clientId, limit))) return false;
        const { rows } = await tx.query<{ epoch: number }>({
          text: `update daykey.clients
                 set epoch = epoch + 1, version = version + 1, updated_at = now()
                 where client_id = $1 returning epoch`,
          values: [clientId],
        });
        await tellClientEnded(tx, { clientId, newsSeconds });
        await tx.query({
          text: `update daykey.revocations set expires_at = now() + interval '${ENDING_SECONDS} s'
                 where client_id = $1 and expires_at > clock_timestamp() + interval '${ENDING_SECONDS} s'`,
          values: [clientId],
        });
        await record(tx, rows[0]?.epoch ?? 0);
        return true;
      });
    },

    clean: () => deleteExpired(database, "daykey.revocations", "now()"),
  };
}

function fromRow({ kind, subject, epoch, expires_at, change }: Row): NumberedRevocation {
  return {
    kind,
    subject,
    epoch: epoch ?? undefined,
    expiresAt: expires_at ?? undefined,
    change,
  };
}
