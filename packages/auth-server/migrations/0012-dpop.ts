import type { Knex } from "knex";

/**
 * Whether a client's access tokens are bound to a key (RFC 9449). A constant default rewrites no row; the
 * version before this one leaves the column as it is, and goes on to issue bearer tokens.
 */
export const dpop = {
  name: "0012-dpop",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
alter table daykey.clients add column dpop text not null default 'optional'
  check (dpop in ('optional', 'required', 'day-key'));
`);
  },
};
