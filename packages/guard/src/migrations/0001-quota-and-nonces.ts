/**
 * Counters of quotas and used nonces; what each column holds stands in docs/storage-schema.md.
 *
 * `charge` counts a batch of requests in order. A request is admitted, and counted in each of its
 * windows, when all of them have room; else in none. The counters are locked before they are read, in
 * the caller's order, so batches of any number of instances come one after the other. A window is that
 * of the moment by this database's clock; the counter of the next is another row.
 */
export const quotaAndNonces = {
  name: "0001-quota-and-nonces",
  sql: `
create table daykey_resource.quota_counters (
  counter text not null,
  starts_at bigint not null,
  used bigint not null,
  expires_at timestamptz not null,
  primary key (counter, starts_at)
) with (fillfactor = 50);
create index quota_counters_expires_at on daykey_resource.quota_counters (expires_at);

create table daykey_resource.nonces (
  key_id text not null,
  nonce text not null,
  expires_at timestamptz not null,
  primary key (key_id, nonce)
);
create index nonces_expires_at on daykey_resource.nonces (expires_at);

-- Windows of all requests are in one list, so many of it for each: which counter, and its limit.
create function daykey_resource.charge(
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

  insert into daykey_resource.quota_counters (counter, starts_at, used, expires_at)
  select w.counter, w.starts_at, 0, to_timestamp(w.starts_at + w.length)
  from unnest(counters, starts, lengths) with ordinality as w(counter, starts_at, length, n)
  order by w.n
  on conflict do nothing;

  select array_agg(locked.used order by locked.n) into current_counts
  from (
    select q.used, w.n
    from unnest(counters, starts) with ordinality as w(counter, starts_at, n)
    join daykey_resource.quota_counters q on q.counter = w.counter and q.starts_at = w.starts_at
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

  update daykey_resource.quota_counters q set used = w.used
  from unnest(counters, starts, current_counts) as w(counter, starts_at, used)
  where q.counter = w.counter and q.starts_at = w.starts_at and q.used <> w.used;
end $$;

do $$ begin
  if exists (select from pg_roles where rolname = 'daykey_resource') then
    grant usage on schema daykey_resource to daykey_resource;
    grant select on daykey_resource.migrations to daykey_resource;
    grant select, insert, update, delete
      on daykey_resource.quota_counters, daykey_resource.nonces to daykey_resource;
  end if;
end $$;
`,
};
