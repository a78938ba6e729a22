/** Lint holds the house rules: one violation of each, planted in a tree of its own, is reported with its reason. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { beforeAll, expect, test } from "vitest";
import { IMPORTS, type Plant } from "../test/planted-imports.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

interface Finding {
  readonly message: string;
  /** For an import: the reason. */
  readonly help?: string;
  readonly filename: string;
}

const PROCESS =
  "Only commands.ts and config.ts know the process: take what is needed as an argument.";
const CLOCK = "Only commands.ts reads the machine's clock: take a Clock, which a test can set.";

const CODE: readonly Plant[] = [
  ...["ab", "ba"].map((pair) => ({
    rule: `House rule 2: no cycle (${pair})`,
    file: `packages/service/src/cycle-${pair[0]}.ts`,
    refused: [
      `import { ${pair[1]} } from "./cycle-${pair[1]}.ts";\nexport const ${pair[0]} = () => [${pair[1]}];`,
    ],
    reason: "Dependency cycle detected",
    allowed: [`export const ${pair[0]} = 1;`],
  })),
  ...[
    "common/src/clock.ts",
    "service/src/http/media-type.ts",
    "auth-server/src/token/endpoint.ts",
  ].map((file) => ({
    rule: `House rule 5: ${file} does not know the process`,
    file: `packages/${file}`,
    refused: [
      'export const setting = process.env["X"];',
      "export const end = (): never => process.exit(1);",
    ],
    reason: PROCESS,
    allowed: ["export const setting = 1;"],
  })),
  ...[
    "common/src/bytes.ts",
    "service/src/http/body.ts",
    "resource-server/src/time/zone-time.ts",
  ].map((file) => ({
    rule: `House rule 5: ${file} does not read the machine's clock`,
    file: `packages/${file}`,
    refused: [
      "export const now = Date.now() / 1000;",
      "export const today = new Date();",
      "export const text = Date();",
    ],
    reason: CLOCK,
    allowed: ["export const epoch = new Date(0);"],
  })),
  {
    rule: "House rule 5: commands.ts knows both, and only as globals",
    file: "packages/resource-server/src/commands.ts",
    refused: ['export type { Process } from "node:process";'],
    reason: "'node:process' import is restricted",
    allowed: ["export const now = Date.now();", "export const { env } = process;"],
  },
  {
    rule: "House rule 7: a file has 350 lines at most",
    file: "packages/service/src/long.ts",
    refused: [`export const long = \`${"\n".repeat(350)}\`;`],
    reason: "File has too many lines (351).",
    allowed: [`export const long = \`${"\n".repeat(349)}\`;`],
  },
  {
    rule: "a comment has a subject and a verb, and none of the habits",
    file: "packages/service/src/comment.ts",
    refused: [
      "/** Of a client that has none. */\nexport const life = 1;",
      "/**\n * Of a client, over\n * two lines.\n */",
      "// Requests are taken as ever.",
      "/**\n * Waits for so\n * many seconds.\n */",
    ],
    reason: "No comment begins with",
    allowed: ["// Offers what was ever asked for, and so one of many.\nexport const life = 1;"],
  },
  {
    rule: "lint knows types: a promise is waited for",
    file: "packages/service/src/promise.ts",
    refused: ["export function start(work: () => Promise<void>): void {\n  work();\n}"],
    reason: "Promises must be awaited, add void operator to ignore.",
    allowed: ["export function start(work: () => Promise<void>): void {\n  void work();\n}"],
  },
];

let violating: readonly Finding[];
let obeying: readonly Finding[];

beforeAll(async () => {
  [violating, obeying] = await Promise.all([lint("refused"), lint("allowed")]);
});

test.each(IMPORTS)("$rule", ({ file, refused, reason }) => {
  const told = violating.filter(({ filename, help }) => filename === file && help === reason);
  const modules = told.map(({ message }) => /^'(.*)' import/.exec(message)?.[1]);
  expect(new Set(modules)).toEqual(new Set(refused));
});

test.each(CODE)("$rule", ({ file, refused, reason }) => {
  const told = violating.filter(({ filename }) => filename === file);
  expect(told.map(({ message }) => message)).toEqual(
    refused.map(() => expect.stringContaining(reason)),
  );
});

test("what the same files may hold passes", () => {
  expect(obeying).toEqual([]);
});

/** Plants one side of every plant in a new tree, and lints that. */
async function lint(side: "refused" | "allowed"): Promise<Finding[]> {
  const tree = await mkdtemp(join(tmpdir(), "daykey-lint-"));
  try {
    for (const name of ["oxlint.config.ts", "lint", "tsconfig.json", "tsconfig.base.json"]) {
      await cp(join(ROOT, name), join(tree, name), { recursive: true });
    }
    await symlink(join(ROOT, "node_modules"), join(tree, "node_modules"));
    for (const plant of IMPORTS) {
      const lines = plant[side].map((name, index) => `export type { T${index} } from "${name}";`);
      await write(join(tree, plant.file), lines);
    }
    for (const plant of CODE) await write(join(tree, plant.file), plant[side]);
    return await runOxlint(tree);
  } finally {
    await rm(tree, { recursive: true });
  }
}

async function write(file: string, lines: readonly string[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${lines.join("\n")}\n`, { flag: "wx" });
}

function runOxlint(cwd: string): Promise<Finding[]> {
  const oxlint = join(ROOT, "node_modules/oxlint/bin/oxlint");
  return new Promise((resolve, reject) => {
    const options = { cwd, maxBuffer: 2 ** 26 };
    execFile(process.execPath, [oxlint, "-f", "json", "packages"], options, (error, output) => {
      try {
        resolve(JSON.parse(output).diagnostics);
      } catch {
        reject(new Error(`oxlint did not run: ${output}`, { cause: error }));
      }
    });
  });
}
