/** What README and docs/ show works as it stands there: their programs are run, their tables compared. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describeConfig as describeAuthServer } from "@daykey/auth-server/config";
import { describeConfig as describeLocal } from "@daykey/local/config";
import { describeConfig as describeResourceServer } from "@daykey/resource-server/config";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allDocuments, anchorsOf, linksOf, programsOf, readDocument } from "../test/documents.ts";
import { ROOT, startStack } from "../test/stack.ts";

/** How each kind of program is run; it reads the demo client's file in DAYKEY_HOME. */
const INTERPRETERS: Record<string, readonly [command: string, ...args: string[]]> = {
  shell: ["sh", "-e"],
  node: [process.execPath, "--input-type=module"],
  python: ["python3", "-"],
};

const SUCCESS = /time|prime|access_token|first 200\nagain 401/;

const programs = allDocuments().flatMap(programsOf);

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
  const kinds = programs.map(({ title, kind }) => `${title.split(",")[0]}: ${kind}`);
  expect(kinds).toEqual([
    "docs/how-to/choose-a-way-in.md: shell",
    "docs/protocol.md: node",
    ...["shell", "node", "node", "python", "shell"].map(
      (kind) => `docs/tutorials/first-token.md: ${kind}`,
    ),
    "docs/tutorials/rotate-a-secret.md: shell",
  ]);
});

for (const { title, kind, line, source } of programs) {
  const expected = line === undefined ? SUCCESS : new RegExp(`^${line}$`, "m");
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
])("the settings of %s in docs/reference/settings.md are those of --help", (section, help) => {
  const page = readDocument("docs/reference/settings.md");
  const table = page.split(`\n## ${section}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = [...table.matchAll(/^\| `([^`]+)` \| (.+?) \| (.+) \|$/gm)].map((cells) =>
    cells.slice(1).join(" ").replaceAll("`", "").replaceAll(/\s+/g, " "),
  );
  const settings = help.split("\n").map((line) => line.trim().replaceAll(/\s+/g, " "));
  expect(rows).toEqual(settings.map((line) => line.replaceAll("`", "")));
});

test("every relative link leads to a file, and to a heading where it names one", () => {
  const broken = allDocuments().flatMap((document) =>
    linksOf(document)
      .filter(({ file, anchor }) => {
        if (!existsSync(join(ROOT, file))) return true;
        return anchor !== "" && !anchorsOf(readDocument(file)).includes(anchor);
      })
      .map(({ file, anchor }) => `${document}: ${file}#${anchor}`),
  );
  expect(allDocuments().length).toBeGreaterThan(30);
  expect(broken).toEqual([]);
});
