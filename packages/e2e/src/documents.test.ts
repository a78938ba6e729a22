/** Programs of the README and docs/ are run as they stand there. */
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { freePorts } from "@daykey/service/test/free-ports";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allDocuments, commandsOf, programsOf } from "../test/documents.ts";
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
  const RESOURCE = `http://localhost:${ports["RESOURCE_PORT"]}`;
  env = { ...process.env, DAYKEY_HOME, DAYKEY_ADMIN_URL, RESOURCE, PORT: String(port) };
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

/** The commands of a page, run in a folder with `daykey` at hand; each answers its standard output. */
function shellIn(folder: string): (commands: string) => string {
  const PATH = [dirname(process.execPath), join(ROOT, "node_modules/.bin"), env["PATH"]].join(":");
  return (commands) =>
    execFileSync("sh", ["-ec", commands], { cwd: folder, env: { ...env, PATH }, encoding: "utf8" });
}

test("docs/how-to/on-behalf-of.md: a token is exchanged twice, and dies with the one in the middle", () => {
  const page = "docs/how-to/on-behalf-of.md";
  const folder = mkdtempSync(join(tmpdir(), "daykey-on-behalf-"));
  const daykey = shellIn(folder);
  const there = (commands: string): string =>
    daykey(commands.replaceAll("http://localhost:5000", env["RESOURCE"] ?? ""));
  try {
    there(commandsOf(page, "register"));
    const live = there(commandsOf(page, "exchange"));
    expect(live).toMatch(/UTC\n/);
    expect(live).toMatch(/^app .* live\n└ agent .* live\n {2}└ helper .* live\n/m);
    expect(live).toMatch(/^subject +app\nacts +helper for agent\n/m);
    const ended = there(`${commandsOf(page, "end")} || test $? = 4`);
    expect(ended).toMatch(
      /^app .* live\n└ agent .* ended: it was revoked\n {2}└ helper .* live\n/m,
    );
    expect(there("daykey tree < app.token")).toMatch(/^app .* live\n/m);
  } finally {
    daykey("for each in app agent helper; do daykey clients delete $each --yes; done");
    rmSync(folder, { recursive: true });
  }
}, 240_000);

test("docs/how-to/migrate.md registers a resource, a client with a secret and one with its own key", () => {
  const page = "docs/how-to/migrate.md";
  const folder = mkdtempSync(join(tmpdir(), "daykey-migrate-"));
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(folder, "public.jwk"), JSON.stringify(publicKey.export({ format: "jwk" })));
  const daykey = shellIn(folder);
  try {
    // The tutorials have a client of that name too.
    daykey(commandsOf(page, "register").replace("billing --name", "moved --name"));
    daykey(commandsOf(page, "register a key"));
    expect(daykey("daykey clients list")).toMatch(/^moved .*\n(?:.*\n)*signer /m);
  } finally {
    daykey("daykey clients delete moved --yes; daykey clients delete signer --yes");
    rmSync(folder, { recursive: true });
  }
}, 240_000);
