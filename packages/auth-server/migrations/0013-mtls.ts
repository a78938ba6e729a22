import type { Knex } from "knex";

/**
 * The name that a client's certificate must have, and whether its access tokens are bound to the certificate
 * (RFC 8705). A constant default rewrites no row; the version before this one leaves the columns as they are.
 */
export const mtls = {
  name: "0013-mtls",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
alter table daykey.clients
  add column tls_client_auth jsonb,
  add column certificate_bound boolean not null default false;
`);
  },
};
