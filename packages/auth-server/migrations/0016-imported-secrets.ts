import type { Knex } from "knex";

/**
 * Secrets that another server made. The version before this one takes them by the hash forms alone, so none
 * is imported before all instances are new. Rows that are there fit, and are not looked at.
 */
export const importedSecrets = {
  name: "0016-imported-secrets",
  async up(knex: Knex): Promise<void> {
    await knex.raw(`
alter table daykey.secrets drop constraint secrets_kind_check;
alter table daykey.secrets add constraint secrets_kind_check
  check (kind in ('generated', 'chosen', 'verifiers', 'imported')) not valid;
`);
  },
};
