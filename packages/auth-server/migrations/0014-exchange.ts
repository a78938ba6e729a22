import type { Knex } from "knex";

/**
 * What a client may exchange (RFC 8693); null: nothing. The version before this one leaves the column as it
 * is, and takes no exchange.
 */
export const exchange = {
  name: "0014-exchange",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`alter table daykey.clients add column exchange jsonb;`);
  },
};
