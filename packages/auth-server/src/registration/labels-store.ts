/** Labels: which file keeps a client, a resource, a trusted issuer or a rule. */
import type { Database } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";
import type { Transaction } from "../clients/clients-store.ts";
import { fromRowUri, toRowUri } from "../resources/resources-store.ts";

export const LABELLED_KINDS = ["client", "resource", "trust_issuer", "trust_rule"] as const;

/** A thing that can carry a label: a client's id, a resource's URI, the name of an issuer or a rule. */
export interface Labelled {
  kind: (typeof LABELLED_KINDS)[number];
  id: string;
}

export interface Label extends Labelled {
  label: string;
}

export interface LabelsStore {
  /**
   * Labels after a place, by kind and id. Labels of what is gone are examined too: a page may hold fewer
   * than `limit` with more behind it.
   */
  page(wish: { limit: number; after: Labelled | undefined }): Promise<{
    items: Label[];
    next?: Labelled;
  }>;
  /**
   * Gives things a label, in place of the one they had, and calls `record` last with those that got it.
   * What is not there gets none.
   */
  set(
    label: string,
    things: readonly Labelled[],
    record: (tx: Transaction, labelled: Labelled[]) => Promise<void>,
  ): Promise<void>;
}

/** When a thing was made, which tells it from another of its name before. */
const MADE_AT = `case l.kind
    when 'client' then
      (select c.created_at from daykey.clients c where c.client_id = l.id and c.deleted_at is null)
    when 'resource' then (select r.created_at from daykey.resources r where r.uri = l.id)
    when 'trust_issuer' then (select i.created_at from daykey.trusted_issuers i where i.name = l.id)
    else (select t.created_at from daykey.trust_rules t where t.name = l.id)
  end`;

export function createLabelsStore(database: Database, { issuer }: { issuer: string }): LabelsStore {
  const fromRow = <T extends Labelled>(row: T): T =>
    row.kind === "resource" ? { ...row, id: fromRowUri(row.id, issuer) } : row;
  const idOf = ({ kind, id }: Labelled): string =>
    kind === "resource" ? toRowUri(id, issuer) : id;

  return {
    async page({ limit, after }) {
      const { rows } = await database.query<Label & { is_there: boolean }>({
        text: `select l.kind, l.id, l.label, coalesce(l.made_at = ${MADE_AT}, false) as is_there
               from daykey.labels l where (l.kind, l.id) > ($1, $2)
               order by l.kind, l.id limit $3`,
        values: [after?.kind ?? "", after ? idOf(after) : "", limit],
      });
      const items = rows
        .filter((row) => row.is_there)
        .map(({ kind, id, label }) => fromRow({ kind, id, label }));
      const last = rows.length < limit ? undefined : rows.at(-1);
      return { items, ...(last && { next: fromRow({ kind: last.kind, id: last.id }) }) };
    },

    async set(label, things, record) {
      await changeAlone(database, async (tx) => {
        const { rows } = await tx.query<Labelled>({
          text: `insert into daykey.labels as kept (kind, id, label, made_at)
                 select kind, id, $3, made_at from (
                   select distinct l.kind, l.id, ${MADE_AT} as made_at
                   from unnest($1::text[], $2::text[]) as l(kind, id)) as found
                 where made_at is not null
                 on conflict (kind, id) do update
                   set label = excluded.label, made_at = excluded.made_at
                   where (kept.label, kept.made_at) <> (excluded.label, excluded.made_at)
                 returning kind, id`,
          values: [things.map(({ kind }) => kind), things.map(idOf), label],
        });
        if (rows.length > 0) await record(tx, rows.map(fromRow));
      });
    },
  };
}
