import type { Knex } from "knex";

/**
 * Which clients may administrate is asked at every change that could end the last one who can: an index
 * of those few, so that the question does not grow with the number of clients.
 */
export const admins = {
  name: "0006-admins",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
create index clients_admins on daykey.clients (client_id)
  where 'daykey:admin' = any(scopes) and enabled and deleted_at is null;
`);
  },
};
