/**
 * Lint: what is wrong in any TypeScript, and the house rules, which say what a kind of file may use.
 * A later override replaces an earlier one's options, so a file's last row in USES is its whole answer.
 */
import { defineConfig, type DummyRuleMap } from "oxlint";

/** What a file may import besides its neighbours and libraries. What is not granted is refused. */
interface Grant {
  /** Packages of ours. */
  readonly packages?: readonly string[];
  /** For files in a feature's folder: the other features. Without it there is no limit. */
  readonly features?: readonly string[];
  readonly sql?: true;
  readonly koa?: true;
  readonly tests?: true;
  readonly libraries?: false;
  /** What routes requests, by others. Refused where a service is to choose its own. */
  readonly frameworks?: boolean;
  /** Words of OAuth and of Daykey's protocol: all but `service` may have them. */
  readonly protocol?: false;
}

const TESTS = "packages/*/{test/**,src/**/*.test.ts}";
/** They start processes and talk to a person; anything may be used there, and nothing uses them. */
const AROUND = "packages/{local,e2e,bench,interop}/**";

/** What of common is of OAuth, or of Daykey's own protocol. */
const OF_PROTOCOL =
  "access-token|api-key|bearer|dpop(?:-proof)?|jws|key-claims|oauth-error|prime-[a-z]+|protocol|quota|resource-uri|revocation|scope|secret-hash|signed-[a-z]+";

const SERVER = { packages: ["common", "service"] } as const;
/** What protects a resource is a client of the auth-server too, and knows no server of ours. */
const GUARD = { packages: ["common", "client"], frameworks: false } as const;
const RESOURCE_SERVER = { packages: ["common", "service", "client", "guard"] } as const;

const USES: readonly (readonly [files: string, grant: Grant])[] = [
  ["**", {}],
  ["packages/common/src/**", { libraries: false }],
  ["packages/client/src/**", { packages: ["common"], libraries: false }],
  ["packages/cli/src/**", { packages: ["common", "client"] }],
  ["packages/service/src/**", { packages: ["common"], koa: true, protocol: false }],
  [
    "packages/service/src/database/{database,listen,migrate,primary}.ts",
    { packages: ["common"], sql: true, protocol: false },
  ],
  ["packages/guard/src/**", GUARD],
  ["packages/guard/src/{koa,express,fastify}.ts", { ...GUARD, koa: true, frameworks: true }],
  ["packages/*-server/src/**", SERVER],
  ["packages/resource-server/src/**", RESOURCE_SERVER],
  // They open the database and make the two applications; server.ts only puts features together.
  ["packages/auth-server/src/{ground,recover}.ts", { ...SERVER, sql: true }],
  ["packages/auth-server/src/serve.ts", { ...SERVER, koa: true }],
  ["packages/resource-server/src/server.ts", { ...RESOURCE_SERVER, sql: true, koa: true }],
  ["packages/resource-server/src/guarded.ts", { ...RESOURCE_SERVER, koa: true }],
  ["packages/resource-server/src/{own-store,migrate}.ts", { ...RESOURCE_SERVER, sql: true }],
  // It checks and passes on; it keeps nothing in a database.
  ["packages/gateway/src/**", RESOURCE_SERVER],
  [
    "packages/gateway/src/{server,egress,doors-endpoint,metadata-endpoint,forward}.ts",
    { ...RESOURCE_SERVER, koa: true },
  ],
  ["packages/auth-server/{src/migrate.ts,src/*-store.ts,migrations/**}", { ...SERVER, sql: true }],
  ...feature("auth-server/src/*", []),
  ...feature("auth-server/src/clients", ["resources"]),
  ...feature("auth-server/src/changes", []),
  ["packages/auth-server/src/changes/compose.ts", { ...SERVER, features: [], sql: true }],
  ...feature("auth-server/src/authentication", ["clients", "resources"]),
  ...feature("auth-server/src/trust", ["authentication", "clients", "resources"]),
  ...feature("auth-server/src/registration", ["authentication", "clients", "resources"]),
  ...feature("auth-server/src/metadata", ["keys", "resources"]),
  ...feature("auth-server/src/token", [
    "authentication",
    "clients",
    "grants",
    "keys",
    "resources",
    "token-quota",
  ]),
  // It counts as resources count.
  ...feature("auth-server/src/token-quota", ["clients", "usage"], {
    packages: [...SERVER.packages, "guard"],
  }),
  ["packages/auth-server/src/metrics.ts", { packages: [...SERVER.packages, "guard"] }],
  ...feature("auth-server/src/issuer-access", [
    "clients",
    "keys",
    "resources",
    "revocation",
    "token",
  ]),
  ...feature("auth-server/src/revocation", [
    "authentication",
    "clients",
    "grants",
    "issuer-access",
    "token",
  ]),
  ...feature("auth-server/src/access-keys", [
    "authentication",
    "clients",
    "keys",
    "registration",
    "resources",
  ]),
  ...feature("auth-server/src/usage", ["issuer-access", "resources"]),
  ...feature("auth-server/src/introspection", [
    "access-keys",
    "authentication",
    "clients",
    "grants",
    "issuer-access",
    "resources",
    "token",
  ]),
  ["packages/auth-server/src/{admin,console}/**", { ...SERVER, koa: true }],
  ...feature("resource-server/src/*", undefined, RESOURCE_SERVER),
  [TESTS, { ...SERVER, sql: true, koa: true, tests: true }],
  [
    "packages/{guard,gateway}/{test/**,src/**/*.test.ts}",
    {
      packages: [...RESOURCE_SERVER.packages, "auth-server"],
      sql: true,
      koa: true,
      frameworks: true,
      tests: true,
    },
  ],
  [
    "packages/resource-server/{test/**,src/**/*.test.ts}",
    { ...RESOURCE_SERVER, sql: true, koa: true, tests: true },
  ],
  ["packages/cli/{test/**,src/**/*.test.ts}", { packages: ["common", "client"], tests: true }],
  ["*.config.ts", { tests: true }],
  ["docs/.vitepress/*.ts", { tests: true }],
];

/** A feature's folder: SQL in its stores, Koa in its endpoints, neither anywhere else. */
function feature(
  folder: string,
  features?: readonly string[],
  uses: Grant = SERVER,
): [string, Grant][] {
  // Any feature may say that something changed, or wait until it is known here.
  const grant = features === undefined ? uses : { ...uses, features: ["changes", ...features] };
  return [
    [`packages/${folder}/**`, grant],
    [`packages/${folder}/*-store.ts`, { ...grant, sql: true }],
    [`packages/${folder}/*endpoint.ts`, { ...grant, koa: true }],
  ];
}

/** Refuses every import that is not granted, each with its reason. */
function restrictedImports(grant: Grant): NonNullable<DummyRuleMap["no-restricted-imports"]> {
  const {
    packages = [],
    features,
    sql,
    koa,
    tests,
    libraries,
    frameworks = true,
    protocol,
  } = grant;
  const list = (names: readonly string[]) => names.join(", ") || "none";
  const except = (names: readonly string[], parent: string) =>
    names.map((name) => `!${parent}/${name}/**`);
  // What a `!` lets through passes the patterns after it too, so those with one come last.
  const patterns = [
    {
      regex: "^(\\.\\./)+[\\w-]+/(src|test|migrations)/",
      message: "Another package is imported by its name.",
    },
    { regex: "^(node:)?process$", message: "`process` is a global, so that lint sees its use." },
    !sql && {
      regex: "^(pg|knex)(/|$)|^@daykey/service/database/(database|listen|migrate|primary)$",
      message: "SQL stands in *-store.ts and migrations/: ask a store for what is meant.",
    },
    !koa && {
      regex: "^(koa|@koa/.*)$|^@daykey/service/http/(app|router)$",
      message:
        "Koa stands in *endpoint.ts, server.ts, guarded.ts, admin/ and guard/src/koa.ts: take and return data.",
    },
    !frameworks && {
      regex: "^(express|fastify|hono|next)(/|$)",
      message: "The guard knows no framework outside of the adapter that is named after it.",
    },
    !tests && {
      regex: "^(vitest|fast-check)(/|$)|(^|/)test/|\\.test\\.ts$",
      message: "The product does not import its tests.",
    },
    !tests && {
      regex: "^(\\.\\./)+(main|commands|server|serve|config|migrate|metrics)\\.ts$",
      message: "server.ts knows the features, not they it: take what is needed as an argument.",
    },
    protocol === false && {
      regex: `^@daykey/common/(${OF_PROTOCOL})$`,
      message: "service knows nothing of OAuth: what is of a protocol is given to it.",
    },
    libraries === false && {
      group: ["**", "!./**", ...except(packages, "@daykey")],
      message: `${packages.length > 0 ? "client" : "common"} runs anywhere: no library and no node: module, only its own files${packages.map((name) => ` and ${name}`).join("")}.`,
    },
    features && {
      group: ["../*/**", ...except(features, "..")],
      message: `Of the other features, this one may import: ${list(features)}. server.ts joins them.`,
    },
    {
      group: ["@daykey/*/**", ...except(packages, "@daykey")],
      message: `Of the packages here, this file may import: ${list(packages)}.`,
    },
  ].filter((pattern) => pattern !== false && pattern !== undefined);
  return ["error", { patterns }];
}

export default defineConfig({
  plugins: ["typescript", "unicorn", "oxc", "import", "node", "promise", "vitest"],
  jsPlugins: ["./lint/daykey.ts"],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: "error" },
  categories: { correctness: "error", suspicious: "error" },
  rules: {
    "max-lines": ["error", 350],
    "daykey/no-current-time": "error",
    "daykey/plain-comments": "error",
    "no-restricted-globals": [
      "error",
      {
        checkGlobalObject: true,
        globals: [
          {
            name: "process",
            message:
              "Only commands.ts and config.ts know the process: take what is needed as an argument.",
          },
        ],
      },
    ],

    // What the categories leave out.
    "array-callback-return": "error",
    eqeqeq: "error",
    "no-console": "error",
    "no-new-func": "error",
    "no-return-assign": "error",
    "no-self-compare": "error",
    "no-var": "error",
    "no-warning-comments": "error",
    "prefer-const": "error",
    "import/no-commonjs": "error",
    "import/no-cycle": "error",
    "import/no-default-export": "error",
    "import/no-duplicates": "error",
    "import/no-mutable-exports": "error",
    "oxc/no-barrel-file": ["error", { threshold: 0 }],
    "typescript/ban-ts-comment": "error",
    "typescript/consistent-type-imports": "error",
    "typescript/no-deprecated": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-import-type-side-effects": "error",
    "typescript/no-misused-promises": "error",
    "typescript/no-require-imports": "error",
    "typescript/no-unsafe-argument": "error",
    "typescript/no-unsafe-assignment": "error",
    "typescript/no-unsafe-call": "error",
    "typescript/no-unsafe-member-access": "error",
    "typescript/no-unsafe-return": "error",
    "typescript/only-throw-error": "error",
    "typescript/prefer-promise-reject-errors": "error",
    "typescript/restrict-plus-operands": "error",
    "typescript/return-await": "error",
    "typescript/switch-exhaustiveness-check": [
      "error",
      { considerDefaultExhaustiveForUnions: true },
    ],
    "typescript/use-unknown-in-catch-callback-variable": "error",
    "unicorn/filename-case": ["error", { case: "kebabCase" }],
    "unicorn/no-abusive-eslint-disable": "error",
    "unicorn/prefer-node-protocol": "error",

    // What the categories hold and does not fit here.
    "no-unmodified-loop-condition": "off", // It does not see what a callback changes.
    "import/no-named-as-default": "off", // Router, pg: their documents import the default.
    "import/no-named-as-default-member": "off",
    "promise/always-return": "off", // A `then` that only goes on is a plain continuation.
    "typescript/no-unnecessary-type-parameters": "off", // A query's caller names its row's type.
    "typescript/no-unsafe-type-assertion": "off", // Rows and checked input are narrowed by `as`.
    "typescript/unbound-method": "off", // Objects are closures here: no method uses `this`.
    "unicorn/consistent-function-scoping": "off",
    "unicorn/prefer-add-event-listener": "off", // Browser rules.
    "unicorn/require-post-message-target-origin": "off",
    "vitest/expect-expect": ["error", { assertFunctionNames: ["expect*", "fc.assert"] }],
    "vitest/valid-expect": ["error", { maxArgs: 2 }],
  },
  overrides: [
    ...USES.map(([files, grant]) => ({
      files: [files],
      rules: { "no-restricted-imports": restrictedImports(grant) },
    })),
    {
      files: ["packages/{*-server,gateway}/src/{commands,config}.ts", TESTS, AROUND],
      rules: { "daykey/no-current-time": "off", "no-restricted-globals": "off" },
    },
    {
      // The CLI's process: which Node it is, arguments, streams, exit code; and the current time.
      files: [
        "packages/cli/{bin/*.mjs,src/main.ts}",
        "packages/{common,gateway}/bin/*.mjs",
        "deploy/**/*.mjs",
      ],
      rules: { "daykey/no-current-time": "off", "no-restricted-globals": "off" },
    },
    {
      // What they are for: arguments and exit codes, signals and the end, the number on each log line,
      // other processes.
      files: [
        "packages/service/src/process/{command-line,lifecycle,peers,run-server,workers}.ts",
        "packages/service/src/observe/log.ts",
      ],
      rules: { "no-restricted-globals": "off" },
    },
    {
      files: [AROUND],
      rules: { "no-restricted-imports": "off", "no-console": "off" },
    },
    {
      // Matchers and parsed bodies are `any`, and plain JavaScript has no types.
      files: [TESTS, "**/*.{js,mjs}"],
      rules: {
        "typescript/no-unsafe-argument": "off",
        "typescript/no-unsafe-assignment": "off",
        "typescript/no-unsafe-call": "off",
        "typescript/no-unsafe-member-access": "off",
        "typescript/no-unsafe-return": "off",
      },
    },
    {
      // Tools that load a module take its default export.
      files: [
        "*.config.ts",
        "docs/.vitepress/*.ts",
        "lint/**",
        "packages/local/src/test-cluster.ts",
      ],
      rules: { "import/no-default-export": "off" },
    },
  ],
});
