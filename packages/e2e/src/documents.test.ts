/** What README and docs/ show works as it stands there: their programs are run, their tables compared. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeConfig as describeAuthServer } from "@daykey/auth-server/config";
import { describeConfig as describeLocal } from "@daykey/local/config";
import { describeConfig as describeResourceServer } from "@daykey/resource-server/config";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT, startStack } from "../test/stack.ts";

const DOCUMENTS = [
  "README.md",
  "docs/operations.md",
  "docs/protocol.md",
  "docs/security.md",
  "docs/storage-schema.md",
  "docs/ways-in.md",
];

/** How each kind of program is run; it reads the demo client's file in DAYKEY_HOME. */
const INTERPRETERS: Record<string, readonly [command: string, ...args: string[]]> = {
  shell: ["sh", "-e"],
  node: [process.execPath, "--input-type=module"],
  python: ["python3", "-"],
};

const SUCCESS = /time|prime|access_token|first 200\nagain 401/;

interface Program {
  title: string;
  kind: string;
  /** What its output shows of success, where an exit code says too little. */
  expected: RegExp;
  source: string;
}

const programs: Program[] = DOCUMENTS.flatMap((document) => {
  const text = readFileSync(join(ROOT, document), "utf8");
  const blocks = text.matchAll(
    /<!-- test: (\w+)(, continued)?(?: prints "([^"]+)")? -->\n+```\w+\n([^]*?)\n```/g,
  );
  const found: Program[] = [];
  for (const [, kind = "", continued, line, source = ""] of blocks) {
    const title = `${document}, program ${found.length + 1} (${kind})`;
    const expected = line === undefined ? SUCCESS : new RegExp(`^${line}$`, "m");
    const previous = found.at(-1);
    if (continued === undefined || !previous) found.push({ title, kind, expected, source });
    else previous.source += `\n${source}`;
  }
  return found;
});

const hasPython = spawnSync("python3", ["--version"]).status === 0;

let env: Record<string, string | undefined>;
let stop: () => Promise<void>;
beforeAll(async () => {
  const stack = await startStack();
  const { home: DAYKEY_HOME, env: ports } = stack.place;
  const DAYKEY_ADMIN_URL = `http://127.0.0.1:${ports["AUTH_PRIVATE_PORT"]}`;
  env = { ...process.env, DAYKEY_HOME, DAYKEY_ADMIN_URL };
  stop = stack.stop;
});
afterAll(() => stop());

test("the programs are found", () => {
  const kinds = programs.filter(({ title }) => title.startsWith("README")).map(({ kind }) => kind);
  expect(kinds).toEqual(["shell", "node", "node", "python", "shell", "shell"]);
});

for (const { title, kind, expected, source } of programs) {
  const canRun = kind !== "python" || hasPython;
  test.skipIf(!canRun)(`${title} works`, () => {
    const [command, ...args] = INTERPRETERS[kind] ?? ["false"];
    const output = execFileSync(command, args, { cwd: ROOT, env, input: source, encoding: "utf8" });
    expect(output).toMatch(expected);
  });
}

test.each([
  ["auth-server", describeAuthServer()],
  ["resource-server", describeResourceServer()],
  ["npm start", describeLocal()],
])("README's settings of %s are those of --help", (section, help) => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const table = readme.split(`\n### ${section}\n`)[1]?.split("\n### ")[0]?.split("\n## ")[0] ?? "";
  const rows = [...table.matchAll(/^\| `([^`]+)` \| (.+?) \| (.+) \|$/gm)].map((cells) =>
    cells.slice(1).join(" ").replaceAll("`", "").replaceAll(/\s+/g, " "),
  );
  const settings = help.split("\n").map((line) => line.trim().replaceAll(/\s+/g, " "));
  expect(rows).toEqual(settings.map((line) => line.replaceAll("`", "")));
});

test("every relative link leads to a file", () => {
  const files = [
    ...globSync("*.md", { cwd: ROOT }),
    ...globSync("{docs,packages/*}/**/*.md", { cwd: ROOT, exclude: ["**/node_modules/**"] }),
  ];
  const broken = files.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(
      ([, link = ""]) => link,
    );
    return links
      .filter((link) => !existsSync(join(ROOT, dirname(file), link)))
      .map((link) => `${file}: ${link}`);
  });
  expect(files.length).toBeGreaterThan(8);
  expect(broken).toEqual([]);
});
