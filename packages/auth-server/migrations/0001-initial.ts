import type { Knex } from "knex";

/**
 * The first schema; what each column holds, who writes it and who deletes it stands in
 * docs/storage-schema.md. A change to a client, secret, resource or key takes the next number of the
 * one counter row and holds that row until its transaction ends. Numbers are therefore in the order
 * of commits: a reader who has seen n has seen every change up to n.
 */
export const initial = {
  name: "0001-initial",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
create table daykey.settings (
  name text primary key,
  value text not null
);

create table daykey.change_counter (
  singleton boolean primary key default true check (singleton),
  last bigint not null
);
insert into daykey.change_counter (last) values (0);

create function daykey.next_change() returns bigint language sql as $$
  select pg_notify('daykey_changes', '');
  update daykey.change_counter set last = last + 1 returning last;
$$;

create function daykey.stamp_change() returns trigger language plpgsql as $$
begin
  new.change := daykey.next_change();
  return new;
end $$;

create function daykey.stamp_client_of_secret() returns trigger language plpgsql as $$
begin
  update daykey.clients set change = 0 where client_id = new.client_id;
  return null;
end $$;

create function daykey.count_change() returns trigger language plpgsql as $$
begin
  perform daykey.next_change();
  return null;
end $$;

create table daykey.clients (
  client_id text primary key check (client_id ~ '^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$'),
  name text not null,
  enabled boolean not null default true,
  epoch integer not null default 0,
  auth_methods text[] not null,
  grant_types text[] not null,
  scopes text[] not null,
  resources text[] not null,
  access_token_seconds integer,
  refresh_idle_seconds integer,
  refresh_absolute_seconds integer,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  change bigint not null
);
create index clients_change on daykey.clients (change);
create trigger stamp before insert or update on daykey.clients
  for each row execute function daykey.stamp_change();

create table daykey.secrets (
  client_id text not null references daykey.clients,
  kid text not null check (kid ~ '^[a-z0-9]{8}$'),
  kind text not null check (kind in ('generated', 'chosen')),
  salt text not null check (salt ~ '^[0-9a-f]{32}$'),
  first_day date not null,
  verifiers bytea not null check (octet_length(verifiers) % 32 = 0),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  primary key (client_id, kid)
);
-- A reader wants 96 of up to 12,864 random bytes: stored out of line and uncompressed, it reads just those.
alter table daykey.secrets alter column verifiers set storage external;
create trigger stamp after insert or update on daykey.secrets
  for each row execute function daykey.stamp_client_of_secret();

create table daykey.resources (
  uri text primary key,
  name text not null,
  scopes text[] not null,
  owner_client_id text references daykey.clients,
  created_at timestamptz not null default now()
);
create trigger count_change after insert or update or delete on daykey.resources
  for each statement execute function daykey.count_change();
-- The issuer is itself a resource; its URI is the ISSUER setting, so the row holds a name for it.
insert into daykey.resources (uri, name, scopes) values
  ('urn:daykey:issuer', 'the auth-server itself', '{daykey:admin,revocations:read,introspect}');

create table daykey.keys (
  kid text primary key,
  purpose text not null check (purpose in ('access_token', 'refresh_token')),
  algorithm text not null,
  sealed bytea not null,
  created_at timestamptz not null default now(),
  active_at timestamptz not null
);
create trigger count_change after insert or update or delete on daykey.keys
  for each statement execute function daykey.count_change();

create table daykey.grants (
  id uuid primary key,
  client_id text not null,
  seq integer not null,
  rotated_at timestamptz,
  revoked_at timestamptz,
  revoke_reason text,
  expires_at timestamptz not null
);
create index grants_expires_at on daykey.grants (expires_at);
-- Which of these grants have a row. A function only for its setting: a plan made while the table was
-- small would scan it, and is kept until the next ANALYZE, when the table may have grown by millions.
create function daykey.known_grants(uuid[]) returns setof uuid
  language sql stable rows 256 set enable_seqscan = off
  begin atomic
    select id from daykey.grants where id = any($1);
  end;

create table daykey.nonces (
  client_id text not null,
  kid text not null,
  nonce text not null,
  expires_at timestamptz not null,
  primary key (client_id, kid, nonce)
);
create index nonces_expires_at on daykey.nonces (expires_at);

do $$ begin
  if exists (select from pg_roles where rolname = 'daykey_app') then
    grant usage on schema daykey to daykey_app;
    grant select on daykey.migrations to daykey_app;
    grant select, insert on daykey.settings to daykey_app;
    grant select, update on daykey.change_counter to daykey_app;
    grant select, insert, update on daykey.clients, daykey.secrets, daykey.resources to daykey_app;
    grant select, insert, update, delete on daykey.keys, daykey.grants, daykey.nonces to daykey_app;
  end if;
end $$;
`);
  },
};
