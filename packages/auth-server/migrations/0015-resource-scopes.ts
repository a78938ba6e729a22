import type { Knex } from "knex";

/**
 * Which scopes a client has at which of its resources; null, for every client at first: each scope at each
 * of them that defines it. The version before this one reads and writes only the other columns, and so
 * gives a client that has a list all of its scopes everywhere: no list is written before all instances are new.
 */
export const resourceScopes = {
  name: "0015-resource-scopes",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`alter table daykey.clients add column resource_scopes jsonb;`);
  },
};
