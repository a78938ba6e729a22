import { createMigrations } from "@daykey/service/database/migrate";
import { quotaAndNonces } from "../migrations/0001-quota-and-nonces.ts";

/** Its schema is its own, so that it may share a database with the auth-server. */
export const { apply: migrateResourceServer, require: requireMigrated } = createMigrations({
  server: "resource-server",
  schema: "daykey_resource",
  migrations: [quotaAndNonces],
});
