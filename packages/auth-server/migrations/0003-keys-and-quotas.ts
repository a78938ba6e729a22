import type { Knex } from "knex";

/**
 * Access keys, quotas and usage, and the verifiers of the seed-compatible hash. What each column holds
 * stands in docs/storage-schema.md.
 */
export const keysAndQuotas = {
  name: "0003-keys-and-quotas",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
alter table daykey.clients add column quotas jsonb not null default '[]';

alter table daykey.secrets add column seed_verifiers bytea
  check (octet_length(seed_verifiers) % 32 = 0);
alter table daykey.secrets alter column seed_verifiers set storage external;
drop trigger stamp on daykey.secrets;
create trigger stamp after insert
  or update of expires_at, revoked_at, verifiers, seed_verifiers on daykey.secrets
  for each row execute function daykey.stamp_client_of_secret();

-- Read for each question about a key and cached nowhere here, so a change of one takes no number.
create table daykey.access_keys (
  id text primary key check (id ~ '^[a-z0-9]{12}$'),
  client_id text not null references daykey.clients,
  kind text not null check (kind in ('api_key', 'signature_key')),
  algorithm text check (algorithm in ('hmac-sha256', 'ed25519')),
  name text not null,
  resource text not null,
  scopes text[] not null,
  quotas jsonb not null default '[]',
  hash bytea check (octet_length(hash) = 32),
  sealed bytea,
  public_jwk jsonb,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  check ((kind = 'api_key') = (hash is not null)),
  check ((kind = 'signature_key') = (algorithm is not null)),
  -- What a symmetric key is goes when it is revoked.
  check ((algorithm is not distinct from 'hmac-sha256' and revoked_at is null) = (sealed is not null)),
  check ((algorithm is not distinct from 'ed25519') = (public_jwk is not null))
);
create index access_keys_client_id on daykey.access_keys (client_id, created_at);

create table daykey.usage (
  -- For pages alone.
  id bigint generated always as identity,
  day date not null,
  resource text not null,
  client_id text not null,
  scope text not null,
  served bigint not null,
  refused bigint not null,
  primary key (day, resource, client_id, scope)
);
create index usage_day on daykey.usage (day, id);
create index usage_client_id on daykey.usage (client_id, day, id);

create table daykey.usage_reporters (
  client_id text not null,
  reporter text not null,
  seq bigint not null,
  expires_at timestamptz not null,
  primary key (client_id, reporter)
);
create index usage_reporters_expires_at on daykey.usage_reporters (expires_at);

do $$ begin
  if exists (select from pg_roles where rolname = 'daykey_app') then
    grant select, insert, update on daykey.access_keys to daykey_app;
    grant select, insert, update, delete on daykey.usage, daykey.usage_reporters to daykey_app;
  end if;
end $$;
`);
  },
};
