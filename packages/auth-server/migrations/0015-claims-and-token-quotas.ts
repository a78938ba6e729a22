import type { Knex } from "knex";

/**
 * Claims for services, on clients and rules, and quotas on issuing with their counters. The version before
 * this one reads and writes neither, and all have defaults, so both may run. `json` and not `jsonb`: what an
 * operator wrote is told as it was written.
 *
 * `charge` is that of `daykey_resource` over this schema's counters: it counts a batch of requests in order,
 * each in all of its windows when all of them have room, else in none.
 */
export const claimsAndTokenQuotas = {
  name: "0015-claims-and-token-quotas",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
alter table daykey.clients
  add column ext json not null default '{}',
  add column token_quotas jsonb not null default '[]';
alter table daykey.trust_rules add column ext json;

create table daykey.quota_counters (
  counter text not null,
  starts_at bigint not null,
  used bigint not null,
  expires_at timestamptz not null,
  primary key (counter, starts_at)
) with (fillfactor = 50);
create index quota_counters_expires_at on daykey.quota_counters (expires_at);

-- Windows of all requests are in one list, so many of it for each: which counter, and its limit.
create function daykey.charge(
  counters text[], lengths bigint[], sizes integer[], picks integer[], limits bigint[],
  out moment double precision, out admitted boolean[], out counts bigint[]
) language plpgsql as $$
declare
  starts bigint[];
  current_counts bigint[];
  done integer := 0;
  fits boolean;
begin
  moment := extract(epoch from clock_timestamp());
  select array_agg(floor(moment / w.length)::bigint * w.length order by w.n) into starts
  from unnest(lengths) with ordinality as w(length, n);

  insert into daykey.quota_counters (counter, starts_at, used, expires_at)
  select w.counter, w.starts_at, 0, to_timestamp(w.starts_at + w.length)
  from unnest(counters, starts, lengths) with ordinality as w(counter, starts_at, length, n)
  order by w.n
  on conflict do nothing;

  select array_agg(locked.used order by locked.n) into current_counts
  from (
    select q.used, w.n
    from unnest(counters, starts) with ordinality as w(counter, starts_at, n)
    join daykey.quota_counters q on q.counter = w.counter and q.starts_at = w.starts_at
    order by w.n
    for update of q
  ) as locked;

  for i in 1..cardinality(sizes) loop
    fits := true;
    for j in done + 1..done + sizes[i] loop
      fits := fits and current_counts[picks[j]] < limits[j];
    end loop;
    admitted[i] := fits;
    for j in done + 1..done + sizes[i] loop
      if fits then
        current_counts[picks[j]] := current_counts[picks[j]] + 1;
      end if;
      counts[j] := current_counts[picks[j]];
    end loop;
    done := done + sizes[i];
  end loop;

  update daykey.quota_counters q set used = w.used
  from unnest(counters, starts, current_counts) as w(counter, starts_at, used)
  where q.counter = w.counter and q.starts_at = w.starts_at and q.used <> w.used;
end $$;

do $$ begin
  if exists (select from pg_roles where rolname = 'daykey_app') then
    grant select, insert, update, delete on daykey.quota_counters to daykey_app;
  end if;
end $$;
`);
  },
};
