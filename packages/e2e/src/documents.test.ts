/** Programs of the README and docs/ are run as they stand there. */
import { execFileSync, spawnSync } from "node:child_process";
import { freePorts } from "@daykey/service/test/free-ports";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allDocuments, programsOf } from "../test/documents.ts";
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
  const [port] = await freePorts(1);
  env = { ...process.env, DAYKEY_HOME, DAYKEY_ADMIN_URL, PORT: String(port) };
  stop = stack.stop;
});
afterAll(() => stop());

test("the programs are found", () => {
  const kinds = programs.map(({ title, kind }) => `${title.split(",")[0]}: ${kind}`);
  expect(kinds).toEqual([
    "README.md: shell",
    "docs/how-to/choose-a-way-in.md: shell",
    "docs/protocol.md: node",
    ...["shell", "node", "node", "python", "shell"].map(
      (kind) => `docs/tutorials/first-token.md: ${kind}`,
    ),
    "docs/tutorials/protect-an-api.md: shell",
    "docs/tutorials/rotate-a-secret.md: shell",
  ]);
});

for (const { title, kind, line, source } of programs) {
  const expected = line === undefined ? SUCCESS : new RegExp(`^${line}$`, "m");
  const canRun = kind !== "python" || hasPython;
  // Each command of a shell program is a process of its own, which a busy machine starts slowly.
  test.skipIf(!canRun)(`${title} works`, { timeout: 240_000 }, () => {
    const [command, ...args] = INTERPRETERS[kind] ?? ["false"];
    const output = execFileSync(command, args, { cwd: ROOT, env, input: source, encoding: "utf8" });
    expect(output).toMatch(expected);
  });
}
