import type { Knex } from "knex";

/**
 * Trusted issuers and the rules that make clients of their workloads. Both are few and read whole by each
 * instance, so a change of one counts as a shared change. The version before this one knows neither table.
 */
export const trust = {
  name: "0011-trust",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
create table daykey.trusted_issuers (
  name text primary key check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
  iss text not null unique,
  enabled boolean not null,
  key_source text not null check (key_source in ('discovery', 'jwks_uri', 'jwks', 'spiffe')),
  keys_uri text,
  jwks jsonb,
  algorithms text[] not null,
  max_age_seconds integer not null,
  audiences text[] not null,
  reusable boolean not null,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((key_source in ('jwks_uri', 'spiffe')) = (keys_uri is not null)),
  check ((key_source = 'jwks') = (jwks is not null))
);
create trigger count_change after insert or update or delete on daykey.trusted_issuers
  for each statement execute function daykey.count_change();

create table daykey.trust_rules (
  name text primary key check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
  issuer text not null references daykey.trusted_issuers,
  client_id text not null references daykey.clients,
  state text not null check (state in ('enabled', 'dry_run', 'disabled')),
  conditions jsonb not null,
  scopes text[],
  resources text[],
  access_token_seconds integer,
  -- What the tokens of the rule name as their credential. The rule gets another when its tokens end.
  cred text not null,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index trust_rules_issuer on daykey.trust_rules (issuer, name);
create index trust_rules_client_id on daykey.trust_rules (client_id, name);
create trigger count_change after insert or update or delete on daykey.trust_rules
  for each statement execute function daykey.count_change();

do $$ begin
  if exists (select from pg_roles where rolname = 'daykey_app') then
    grant select, insert, update, delete on daykey.trusted_issuers, daykey.trust_rules to daykey_app;
  end if;
end $$;
`);
  },
};
