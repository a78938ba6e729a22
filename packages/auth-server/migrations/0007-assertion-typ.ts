import type { Knex } from "knex";

/**
 * Whether a client's assertions must say what they are (RFC 10070). The constant default rewrites no
 * row, and the version before this one neither reads nor writes the column.
 */
export const assertionTyp = {
  name: "0007-assertion-typ",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
alter table daykey.clients add column require_assertion_typ boolean not null default false;
`);
  },
};
