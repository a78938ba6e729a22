import { createMigrations } from "@daykey/service/database/migrate";
import { initial } from "../migrations/0001-initial.ts";
import { revocationAndAdmin } from "../migrations/0002-revocation-and-admin.ts";
import { keysAndQuotas } from "../migrations/0003-keys-and-quotas.ts";
import { growth } from "../migrations/0004-growth.ts";
import { admins } from "../migrations/0006-admins.ts";
import { assertionTyp } from "../migrations/0007-assertion-typ.ts";
import { endingSecrets } from "../migrations/0008-ending-secrets.ts";
import { boundedLists } from "../migrations/0009-bounded-lists.ts";
import { trust } from "../migrations/0011-trust.ts";
import { dpop } from "../migrations/0012-dpop.ts";
import { mtls } from "../migrations/0013-mtls.ts";
import { exchange } from "../migrations/0014-exchange.ts";
import { claimsAndTokenQuotas } from "../migrations/0015-claims-and-token-quotas.ts";
import { resourceScopes } from "../migrations/0015-resource-scopes.ts";
import { importedSecrets } from "../migrations/0016-imported-secrets.ts";
import { labels } from "../migrations/0016-labels.ts";

export const MIGRATIONS = [
  initial,
  revocationAndAdmin,
  keysAndQuotas,
  growth,
  admins,
  assertionTyp,
  endingSecrets,
  boundedLists,
  trust,
  dpop,
  mtls,
  exchange,
  claimsAndTokenQuotas,
  resourceScopes,
  labels,
  importedSecrets,
];

export const { apply: migrateAuthServer, require: requireMigrated } = createMigrations({
  server: "auth-server",
  schema: "daykey",
  migrations: MIGRATIONS,
});
