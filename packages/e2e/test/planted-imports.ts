/** One import of each kind that the house rules refuse, and what the same file may import. */

export type Plant = Readonly<Record<"rule" | "file" | "reason", string>> & {
  /** Imported modules, or pieces of code. */
  readonly refused: readonly string[];
  /** What the same file may hold in their place. */
  readonly allowed: readonly string[];
};

const SERVERS_USE = "Of the packages here, this file may import: common, service.";
const GUARD_USES = "Of the packages here, this file may import: common, client.";
const NO_FRAMEWORK = "The guard knows no framework outside of the adapter that is named after it.";
const RESOURCE_SERVER_USES =
  "Of the packages here, this file may import: common, service, client, guard.";
const BY_NAME = "Another package is imported by its name.";
const COMPOSED = "server.ts knows the features, not they it: take what is needed as an argument.";
const SQL = "SQL stands in *-store.ts and migrations/: ask a store for what is meant.";
const KOA =
  "Koa stands in *endpoint.ts, server.ts, guarded.ts, admin/ and guard/src/koa.ts: take and return data.";
const NO_TESTS = "The product does not import its tests.";

/** Every feature may say that something changed. */
const features = (...names: string[]) =>
  `Of the other features, this one may import: ${["changes", ...names].join(", ")}. server.ts joins them.`;

export const IMPORTS: readonly Plant[] = [
  {
    rule: "House rule 1: common runs anywhere",
    file: "packages/common/src/scope.ts",
    refused: ["node:crypto", "koa", "pg", "jose", "@daykey/service/observe/log"],
    reason: "common runs anywhere: no library and no node: module, only its own files.",
    allowed: ["./bytes.ts"],
  },
  {
    rule: "House rule 1: service knows common only",
    file: "packages/service/src/http/errors.ts",
    refused: ["@daykey/auth-server/config", "@daykey/resource-server/config"],
    reason: "Of the packages here, this file may import: common.",
    allowed: ["@daykey/common/clock", "../observe/log.ts", "node:http", "koa"],
  },
  ...["http/router.ts", "database/database.ts"].map((file) => ({
    rule: `House rule 1: service knows nothing of OAuth (${file})`,
    file: `packages/service/src/${file}`,
    refused: ["oauth-error", "protocol", "access-token", "secret-hash", "scope"].map(
      (name) => `@daykey/common/${name}`,
    ),
    reason: "service knows nothing of OAuth: what is of a protocol is given to it.",
    allowed: ["@daykey/common/clock", "@daykey/common/media-types"],
  })),
  {
    rule: "House rule 1: the auth-server does not know the resource-server, nor what starts it",
    file: "packages/auth-server/src/server.ts",
    refused: [
      "@daykey/resource-server/server",
      "@daykey/client/token-source",
      "@daykey/local/ports",
      "@daykey/e2e/x",
    ],
    reason: SERVERS_USE,
    allowed: ["@daykey/common/clock", "@daykey/service/observe/log", "./token/compose.ts"],
  },
  {
    rule: "House rule 1: the guard knows neither server, nor what they stand on",
    file: "packages/guard/src/tokens/jwt.ts",
    refused: [
      "@daykey/auth-server/keys/signer",
      "@daykey/resource-server/server",
      "@daykey/service/observe/log",
    ],
    reason: GUARD_USES,
    allowed: [
      "@daykey/common/access-token",
      "@daykey/client/internal/token-source",
      "jose",
      "node:crypto",
    ],
  },
  {
    rule: "House rule 1: the guard knows no framework",
    file: "packages/guard/src/check.ts",
    refused: ["express", "fastify", "hono", "next/server"],
    reason: NO_FRAMEWORK,
    allowed: ["./access.ts"],
  },
  {
    rule: "House rule 1: nor any outside of its adapters",
    file: "packages/guard/src/quota/redis.ts",
    refused: ["koa", "@koa/router"],
    reason: KOA,
    allowed: ["lru-cache"],
  },
  ...["koa", "express", "fastify"].map((name) => ({
    rule: `House rule 1: the adapter of ${name} knows its framework, and no service`,
    file: `packages/guard/src/${name}.ts`,
    refused: ["@daykey/service/http/router"],
    reason: GUARD_USES,
    allowed: [name, "./check.ts"],
  })),
  {
    rule: "House rule 1: the gateway knows neither server",
    file: "packages/gateway/src/check.ts",
    refused: ["@daykey/auth-server/keys/signer", "@daykey/resource-server/server"],
    reason: RESOURCE_SERVER_USES,
    allowed: ["@daykey/guard/check", "@daykey/client/internal/token-source", "yaml"],
  },
  {
    rule: "House rule 3: the gateway keeps nothing in a database",
    file: "packages/gateway/src/route-tables.ts",
    refused: ["pg", "knex", "@daykey/service/database/database"],
    reason: SQL,
    allowed: ["@daykey/service/database/redis"],
  },
  {
    rule: "House rule 4: no Koa in the gateway outside of its endpoints",
    file: "packages/gateway/src/doors.ts",
    refused: ["koa", "@daykey/service/http/router", "@daykey/service/http/app"],
    reason: KOA,
    allowed: ["@daykey/guard/guard"],
  },
  {
    rule: "House rule 1: the resource-server does not know the auth-server, nor what starts it",
    file: "packages/resource-server/src/time/endpoint.ts",
    refused: ["@daykey/auth-server/keys/signer", "@daykey/local/ports"],
    reason: RESOURCE_SERVER_USES,
    allowed: ["@daykey/common/access-token", "@daykey/guard/koa", "koa"],
  },
  {
    rule: "House rule 1: nor does a test",
    file: "packages/resource-server/src/access/guarded.test.ts",
    refused: ["@daykey/auth-server/test/auth-server"],
    reason: RESOURCE_SERVER_USES,
    allowed: [
      "@daykey/client/verified-fetch",
      "@daykey/service/test/log",
      "../../test/serve-routers.ts",
      "@daykey/guard/tokens/jwt",
      "pg",
    ],
  },
  {
    rule: "House rule 1: a package without a row begins with nothing",
    file: "packages/novelty/src/thing.ts",
    refused: ["@daykey/common/clock"],
    reason: "Of the packages here, this file may import: none.",
    allowed: ["jose"],
  },
  {
    rule: "House rule 1: there is no path around a package's name",
    file: "packages/auth-server/src/token/path.ts",
    refused: ["../../../common/src/clock.ts", "../../../service/test/log.ts"],
    reason: BY_NAME,
    allowed: ["@daykey/common/clock"],
  },
  {
    rule: "House rule 1: what starts the servers may import anything",
    file: "packages/local/src/main.ts",
    refused: [],
    reason: "",
    allowed: ["@daykey/auth-server/server", "@daykey/resource-server/server", "pg", "koa"],
  },
  {
    rule: "House rule 1: the product does not import its tests",
    file: "packages/auth-server/src/token/tested.ts",
    refused: ["vitest", "@daykey/service/test/log", "../../test/auth-server.ts", "./x.test.ts"],
    reason: NO_TESTS,
    allowed: ["./issuer.ts"],
  },
  ...["changes", "grants", "keys", "resources", "novelty"].map((feature) => ({
    rule: `House rule 2: ${feature} knows no other feature`,
    file: `packages/auth-server/src/${feature}/thing.ts`,
    refused: ["../clients/client.ts", "../token/issuer.ts"],
    reason: features(),
    allowed: ["./other.ts", "../random-kid.ts", "@daykey/service/observe/log"],
  })),
  {
    rule: "House rule 2: clients know resources",
    file: "packages/auth-server/src/clients/client.ts",
    refused: ["../token/issuer.ts", "../keys/signer.ts"],
    reason: features("resources"),
    allowed: ["../resources/resources-store.ts"],
  },
  {
    rule: "House rule 2: metadata knows keys and resources",
    file: "packages/auth-server/src/metadata/endpoint.ts",
    refused: ["../clients/client.ts"],
    reason: features("keys", "resources"),
    allowed: ["../keys/key-ring.ts", "../resources/resource-directory.ts"],
  },
  {
    rule: "House rule 2: registration knows authentication, clients and resources",
    file: "packages/auth-server/src/registration/register.ts",
    refused: ["../token/issuer.ts", "../issuer-access/bearer.ts"],
    reason: features("authentication", "clients", "resources"),
    allowed: ["../clients/client.ts", "../resources/resources-store.ts"],
  },
  {
    rule: "House rule 2: trust knows authentication, clients and resources",
    file: "packages/auth-server/src/trust/engine.ts",
    refused: ["../token/issuer.ts", "../registration/register.ts", "../keys/key-ring.ts"],
    reason: features("authentication", "clients", "resources"),
    allowed: ["../authentication/workload.ts", "../clients/client-cache.ts"],
  },
  {
    rule: "House rule 2: authentication does not know trust",
    file: "packages/auth-server/src/authentication/trusting.ts",
    refused: ["../trust/engine.ts"],
    reason: features("clients", "resources"),
    allowed: ["./workload.ts"],
  },
  {
    rule: "House rule 2: token knows authentication, clients, grants, keys, resources and quotas",
    file: "packages/auth-server/src/token/issuer.ts",
    refused: ["../metadata/endpoint.ts", "../registration/register.ts"],
    reason: features("authentication", "clients", "grants", "keys", "resources", "token-quota"),
    allowed: ["../clients/client.ts", "../grants/grant.ts", "../keys/key-ring.ts"],
  },
  {
    rule: "House rule 2: quotas of tokens know clients and usage",
    file: "packages/auth-server/src/token-quota/spend.ts",
    refused: ["../token/issuer.ts", "../registration/register.ts"],
    reason: features("clients", "usage"),
    allowed: ["../clients/client.ts", "../usage/usage-store.ts", "@daykey/guard/quota/charge"],
  },
  {
    rule: "House rule 1: quotas of tokens count by the guard's code, and know no other package",
    file: "packages/auth-server/src/token-quota/compose.ts",
    refused: ["@daykey/client/token-source", "@daykey/resource-server/server"],
    reason: RESOURCE_SERVER_USES.replace(" client,", ""),
    allowed: ["@daykey/guard/redis-store"],
  },
  {
    rule: "House rule 2: access keys know authentication, clients, keys, registration and resources",
    file: "packages/auth-server/src/access-keys/present.ts",
    refused: ["../issuer-access/liveness.ts", "../usage/endpoint.ts", "../token/issuer.ts"],
    reason: features("authentication", "clients", "keys", "registration", "resources"),
    allowed: ["../authentication/last-used.ts", "../keys/sealing.ts"],
  },
  {
    rule: "House rule 2: usage knows issuer access and resources",
    file: "packages/auth-server/src/usage/endpoint.ts",
    refused: ["../clients/client.ts", "../token/issuer.ts"],
    reason: features("issuer-access", "resources"),
    allowed: ["../issuer-access/bearer.ts", "../resources/resource-directory.ts"],
  },
  ...["auth-server", "resource-server"].map((server) => ({
    rule: `House rule 2: no feature of the ${server} knows what composes it`,
    file: `packages/${server}/src/access/composed.ts`,
    refused: [
      "../server.ts",
      "../serve.ts",
      "../main.ts",
      "../commands.ts",
      "../config.ts",
      "../metrics.ts",
    ],
    reason: COMPOSED,
    allowed: ["./jwt.ts"],
  })),
  {
    rule: "House rule 3: no SQL outside stores and migrations",
    file: "packages/auth-server/src/grants/rules.ts",
    refused: [
      "pg",
      "knex",
      "@daykey/service/database/database",
      "@daykey/service/database/migrate",
    ],
    reason: SQL,
    allowed: ["./grants-store.ts"],
  },
  ...[
    "auth-server/src/grants/grants-store.ts",
    "auth-server/migrations/0001-initial.ts",
    "auth-server/src/migrate.ts",
    "resource-server/src/own-store.ts",
  ].map((file) => ({
    rule: `House rule 3: SQL, but no Koa, in ${file}`,
    file: `packages/${file}`,
    refused: ["koa", "@daykey/service/http/router"],
    reason: KOA,
    allowed: ["pg", "knex", "@daykey/service/database/database"],
  })),
  ...["auth-server/src/public-endpoints.ts", "auth-server/src/clients/compose.ts"].map((file) => ({
    rule: `House rule 3: ${file} puts together, and holds no SQL`,
    file: `packages/${file}`,
    refused: ["pg", "knex", "@daykey/service/database/database"],
    reason: SQL,
    allowed: ["@daykey/service/observe/log"],
  })),
  {
    rule: "House rule 3: SQL in a part of service only",
    file: "packages/service/src/process/health.ts",
    refused: ["pg", "knex"],
    reason: SQL,
    allowed: ["../database/database.ts"],
  },
  {
    rule: "House rule 4: no Koa where the auth-server is put together",
    file: "packages/auth-server/src/token/compose.ts",
    refused: ["koa", "@koa/router", "@daykey/service/http/router", "@daykey/service/http/app"],
    reason: KOA,
    allowed: ["./endpoint.ts", "../ground.ts", "../clients/client-cache.ts"],
  },
  {
    rule: "House rule 4: no Koa outside endpoints",
    file: "packages/resource-server/src/primes/is-prime.ts",
    refused: ["koa", "@koa/router", "@daykey/service/http/router", "@daykey/service/http/app"],
    reason: KOA,
    allowed: ["@daykey/service/http/problem-error"],
  },
  ...[
    "resource-server/src/primes/endpoint.ts",
    "resource-server/src/guarded.ts",
    "auth-server/src/serve.ts",
  ].map((file) => ({
    rule: `House rule 4: Koa, but no SQL, in ${file}`,
    file: `packages/${file}`,
    refused: ["pg", "@daykey/service/database/database"],
    reason: SQL,
    allowed: ["koa", "@daykey/service/http/router"],
  })),
];
