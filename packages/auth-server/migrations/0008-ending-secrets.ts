import type { Knex } from "knex";

/**
 * The ends of secrets by client, for the question whose last secret ends soon: one walk over this index
 * in place of the whole table. `kind` says which methods take a secret. Made beside writers, and anew
 * where an attempt before was cut off and left an index that is not valid.
 */
export const endingSecrets = {
  name: "0008-ending-secrets",
  withoutTransaction: true,
  async up(knex: Knex): Promise<void> {
    await knex.raw("drop index concurrently if exists daykey.secrets_ends");
    await knex.raw(`
create index concurrently secrets_ends on daykey.secrets (client_id, expires_at) include (kind)
  where revoked_at is null`);
  },
};
