import type { Knex } from "knex";

/**
 * What a bulk change costs, and what a reader of revocations has to read. What each column holds stands
 * in docs/storage-schema.md. The version before goes on working: functions keep their names, and new
 * columns have constant defaults or none, so no table is rewritten.
 */
export const growth = {
  name: "0004-growth",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
-- One number for a transaction, however many rows it changes: it holds the counter until its end, so
-- nobody else's number can come between. The setting ends with the transaction, and goes back with a
-- savepoint as the counter does.
create or replace function daykey.next_change() returns bigint language plpgsql as $$
declare
  taken text[] := string_to_array(current_setting('daykey.change', true), ':');
  number bigint;
begin
  if taken[1] = pg_current_xact_id()::text then
    return taken[2]::bigint;
  end if;
  perform pg_notify('daykey_changes', '');
  update daykey.change_counter set last = last + 1 returning last into number;
  perform set_config('daykey.change', pg_current_xact_id() || ':' || number, true);
  return number;
end $$;

-- The last change of what every instance reads whole: resources, keys, settings.
alter table daykey.change_counter
  add column last_shared bigint not null default 0,
  add column epoch_floor integer not null default 0;

create or replace function daykey.count_change() returns trigger language plpgsql as $$
begin
  perform daykey.next_change();
  update daykey.change_counter set last_shared = last;
  return null;
end $$;

alter table daykey.revocations add column change bigint;
create index revocations_change on daykey.revocations (change);
alter table daykey.revocations drop constraint revocations_kind_check;
alter table daykey.revocations add constraint revocations_kind_check
  check (kind in ('grant', 'client', 'credential', 'signing_key', 'issuer')) not valid;
drop trigger announce on daykey.revocations;
create function daykey.stamp_revocation() returns trigger language plpgsql as $$
begin
  new.change := daykey.next_change();
  return new;
end $$;
create trigger stamp before insert or update on daykey.revocations
  for each row execute function daykey.stamp_revocation();

-- A client's epoch counts from the floor, and the floor cannot move while the counter is held. So a
-- raised epoch is above the floor, whichever version raises it.
create or replace function daykey.stamp_change() returns trigger language plpgsql as $$
begin
  new.change := daykey.next_change();
  if tg_op = 'UPDATE' and new.epoch > old.epoch then
    new.epoch := greatest(new.epoch, (select epoch_floor + 1 from daykey.change_counter));
  end if;
  return new;
end $$;
drop function daykey.announce();
`);
  },
};
