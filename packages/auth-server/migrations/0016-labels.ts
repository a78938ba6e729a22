import type { Knex } from "knex";

/**
 * Which file keeps a thing: `daykey apply` removes only what carries its file's label. A table of its own, so
 * that no client is read anew for it. `made_at` is that of what is labelled: a thing that was deleted and
 * made again by hand carries none. The version before this one knows nothing of it.
 */
export const labels = {
  name: "0016-labels",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
create table daykey.labels (
  kind text not null check (kind in ('client', 'resource', 'trust_issuer', 'trust_rule')),
  id text not null,
  label text not null,
  made_at timestamptz not null,
  primary key (kind, id)
);
do $$ begin
  if exists (select from pg_roles where rolname = 'daykey_app') then
    grant select, insert, update, delete on daykey.labels to daykey_app;
  end if;
end $$;
`);
  },
};
