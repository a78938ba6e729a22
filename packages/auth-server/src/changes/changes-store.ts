import type { Database, Queryable } from "@daykey/service/database/database";

/** The channel that every change of a client, secret, resource or key notifies. */
export const CHANGES_CHANNEL = "daykey_changes";

export interface Changes {
  /** The number of the last committed change. */
  last: number;
  /** The number of the last one to what every instance reads whole: resources, keys, settings. */
  lastShared: number;
  /** No client's epoch counts as lower than this; `restored` raises it. */
  epochFloor: number;
  /** Whose number that is: another one after a restart, a failover or a restore of the database. */
  source: string;
  /** Clients changed since the number asked about; "many" when they are too many to name. */
  clientIds: string[] | "many";
  /** The database's clock, epoch seconds. */
  databaseNow: number;
}

/** More changed clients than this are not named one by one. */
const MANY_CLIENTS = 1000;

export interface ChangesStore {
  /** One snapshot. Numbers are in commit order (see the first migration), so "since" misses nothing. */
  since(change: number): Promise<Changes>;
}

/** Serialises what is decided about clients, resources and keys; the number only has to be ours. */
const CHANGE_LOCK = 0x6368616e;

/**
 * A transaction that changes what is decided: it takes this lock before any row, so two of them never
 * wait for each other's rows, and what one has read stays so until it commits (docs/storage-schema.md,
 * "Order of locks"). `work` may be run again, as with `Database.transaction`.
 */
export async function changeAlone<T>(
  database: Database,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.query({ text: "select pg_advisory_xact_lock($1)", values: [CHANGE_LOCK] });
    return work(tx);
  });
}

export function createChangesStore(database: Database): ChangesStore {
  return {
    async since(change) {
      const { rows } = await database.query<{
        last: number;
        last_shared: number;
        epoch_floor: number;
        source: string;
        client_ids: string[];
        database_now: number;
      }>({
        name: "changes-since",
        text: `select last::float8 as last, last_shared::float8 as last_shared, epoch_floor,
                      pg_postmaster_start_time() || ' '
                        || pg_relation_filenode('daykey.change_counter') as source,
                      extract(epoch from clock_timestamp())::float8 as database_now,
                      array(select client_id from daykey.clients where change > $1
                            limit ${MANY_CLIENTS + 1}) as client_ids
               from daykey.change_counter`,
        values: [change],
      });
      const [row] = rows;
      if (!row) throw new Error("daykey.change_counter has no row");
      const { last, source, client_ids: changed, database_now: databaseNow } = row;
      const clientIds = changed.length > MANY_CLIENTS ? "many" : changed;
      const { last_shared: lastShared, epoch_floor: epochFloor } = row;
      return { last, lastShared, epochFloor, source, clientIds, databaseNow };
    },
  };
}
