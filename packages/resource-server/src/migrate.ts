import { MIGRATIONS } from "@daykey/guard/postgres-store";
import { createMigrations } from "@daykey/service/database/migrate";

/** Its schema is its own, so that it may share a database with the auth-server. */
export const { apply: migrateResourceServer, require: requireMigrated } = createMigrations({
  server: "resource-server",
  schema: "daykey_resource",
  migrations: MIGRATIONS.map(({ name, sql }) => ({
    name,
    async up(knex) {
      await knex.raw(sql);
    },
  })),
});
