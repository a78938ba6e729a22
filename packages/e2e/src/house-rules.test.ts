/** Lint holds the house rules: one violation of each, planted in a tree of its own, is told with its reason. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { beforeAll, expect, test } from "vitest";

import { CODE, IMPORTS } from "../test/planted-violations.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

interface Finding {
  readonly message: string;
  /** For an import: the reason. */
  readonly help?: string;
  readonly filename: string;
}

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
