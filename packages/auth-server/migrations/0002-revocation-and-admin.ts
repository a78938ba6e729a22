import type { Knex } from "knex";

/**
 * Revocation news for local validators, the admin API's versions and audit log, registered public
 * keys. What each column holds stands in docs/storage-schema.md.
 */
export const revocationAndAdmin = {
  name: "0002-revocation-and-admin",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
alter table daykey.clients
  add column version integer not null default 1,
  add column updated_at timestamptz not null default now(),
  add column access_token_format text not null default 'jwt'
    check (access_token_format in ('jwt', 'opaque')),
  add column jwks_uri text;
-- For pages of clients in the order of their creation; in that of their ids, the primary key serves.
create index clients_created_at on daykey.clients (created_at, client_id) where deleted_at is null;

-- Last use is written now and then and changes nothing that is cached.
alter table daykey.secrets add column last_used_at timestamptz;
alter table daykey.secrets drop constraint secrets_kind_check;
alter table daykey.secrets add constraint secrets_kind_check
  check (kind in ('generated', 'chosen', 'verifiers'));
drop trigger stamp on daykey.secrets;
create trigger stamp after insert or update of expires_at, revoked_at, verifiers on daykey.secrets
  for each row execute function daykey.stamp_client_of_secret();

create table daykey.client_keys (
  client_id text not null references daykey.clients,
  kid text not null,
  algorithm text not null,
  public_jwk jsonb not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  last_used_at timestamptz,
  primary key (client_id, kid)
);
create trigger stamp after insert or update of revoked_at, public_jwk on daykey.client_keys
  for each row execute function daykey.stamp_client_of_secret();

create table daykey.revocations (
  kind text not null check (kind in ('grant', 'client', 'credential', 'signing_key')),
  subject text not null,
  epoch integer,
  client_id text,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (kind, subject)
);
create index revocations_expires_at on daykey.revocations (expires_at);
create index revocations_client_id on daykey.revocations (client_id) where client_id is not null;
-- The live set is read whole each time, so it needs the news and no number.
create function daykey.announce() returns trigger language plpgsql as $$
begin
  perform pg_notify('daykey_changes', '');
  return null;
end $$;
-- For each row: a refresh that revokes nothing passes through here too and must wake nobody.
create trigger announce after insert or update on daykey.revocations
  for each row execute function daykey.announce();

alter table daykey.keys drop constraint keys_purpose_check;
alter table daykey.keys add constraint keys_purpose_check
  check (purpose in ('access_token', 'refresh_token', 'opaque_token'));

create table daykey.audit_log (
  seq bigint primary key check (seq > 0),
  at timestamptz not null,
  actor text not null,
  action text not null,
  target text not null,
  detail jsonb not null,
  hash bytea not null
);
-- The number and hash of the log's last row, sealed under the master key: who can write every table
-- still cannot end the log with another row.
create table daykey.audit_head (
  singleton boolean primary key default true check (singleton),
  sealed bytea not null
);

do $$ begin
  if exists (select from pg_roles where rolname = 'daykey_app') then
    grant select, insert, update on daykey.client_keys to daykey_app;
    grant select, insert, update, delete on daykey.revocations to daykey_app;
    grant update on daykey.settings to daykey_app;
    grant delete on daykey.resources to daykey_app;
    grant select, insert on daykey.audit_log to daykey_app;
    grant select, insert, update on daykey.audit_head to daykey_app;
  end if;
end $$;
`);
  },
};
