/** What a command line that cannot be parsed is told, and how little is read to tell it. */
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDesk, type Desk } from "../test/run-daykey.ts";

const SECRET = "dks_k3f9a1c2_3oDH4mEVFvp7u7ED6UzpF5eHPrBI5AHumY7UBpOQIJz_0k1H3W";
const HELP = "See daykey --help.";

let desk: Desk;
beforeAll(async () => void (desk = await createDesk()));
afterAll(() => desk.remove());

test.each([
  ["frob", "There is no command frob", HELP],
  ["clinets list", "There is no command clinets", `Did you mean clients? ${HELP}`],
  ["clients lst", "There is no command lst", "Did you mean list? See daykey clients --help."],
  ["help frob", "There is no command frob", HELP],
  ["help clients lst", "There is no command lst", "See daykey clients --help."],
  ["--frob", "There is no option --frob", HELP],
  ["token --verbose x", "There is no option --verbose", "See daykey token --help."],
  [
    "clients list --limt 3",
    "There is no option --limt",
    "Did you mean --limit? See daykey clients list --help.",
  ],
  ["clients show", "The argument <client> is missing", "See daykey clients show --help."],
  ["clients show a b", "There is 1 argument too many", "See daykey clients show --help."],
  ["token a b", "There are 2 arguments too many", "See daykey token --help."],
  [
    "client-keys add a",
    "Give one of --jwk-file and --certificate-file",
    "See daykey client-keys add --help.",
  ],
  ["token --form", "The option --form <form> needs a value", "See daykey token --help."],
  [
    "token --form x",
    "The option --form <form> must be one of once, day, seed, basic, post",
    "See daykey token --help.",
  ],
  [
    "completion tcsh",
    "The argument <shell> must be one of bash, zsh, fish",
    "See daykey completion --help.",
  ],
  [
    "audit tail -n x",
    "The option -n, --lines <number> cannot be taken: it is not a whole number",
    "See daykey audit tail --help.",
  ],
  [
    "prime 7 --next --previous",
    "--next and --previous exclude each other",
    "See daykey prime --help.",
  ],
  [
    "introspect eyJhbGciOi.eyJpc3Mi.c2ln",
    "There is 1 argument too many",
    "See daykey introspect --help.",
  ],
  [`token --secret=${SECRET}`, "There is no option --secret=…", "See daykey token --help."],
])("is told in plain words, with exit code 2: daykey %s", async (line, message, hint) => {
  const told = await desk.run(line.split(" "));
  expect(told).toEqual({ code: 2, stdout: "", stderr: `daykey: ${message}\n${hint}\n` });
  const { code, stdout, stderr } = await desk.run(["--json", ...line.split(" ")]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(JSON.parse(stderr)).toEqual({ error: { message, hint, exit_code: 2 } });
});

/** The modules that a run reads, by the folder they stand in. */
async function modulesOf(line: string): Promise<string[]> {
  const file = join(desk.folder, `modules-${line.replaceAll(" ", "-")}`);
  const count = `
    import { registerHooks } from "node:module";
    import { appendFileSync } from "node:fs";
    registerHooks({ load(url, context, next) {
      appendFileSync(${JSON.stringify(file)}, url + "\\n");
      return next(url, context);
    } });`;
  const url = `data:text/javascript;base64,${Buffer.from(count).toString("base64")}`;
  const { code, stderr } = await desk.run(line.split(" "), {
    env: { NODE_OPTIONS: `--import=${url}` },
  });
  expect(code, stderr).toBe(0);
  return (await readFile(file, "utf8")).trim().split("\n");
}

// A start takes as long as it has modules to read; time itself would depend on the machine.
test.each([
  ["--version", 42],
  ["--help", 42],
  ["token --help", 72],
  ["clients list --help", 100],
])("a start reads few modules: daykey %s, at most %i", async (line, most) => {
  const modules = await modulesOf(line);
  expect(modules.length).toBeGreaterThan(10);
  expect(modules.length, modules.join("\n")).toBeLessThanOrEqual(most);
});

test("a start reads the named command alone, and neither the client library nor HTTP for help", async () => {
  const commandsOf = async (line: string): Promise<string[]> =>
    (await modulesOf(line)).filter((url) => url.includes("/commands/"));
  expect(await commandsOf("--help")).toEqual([]);
  expect(await commandsOf("keys list --help")).toEqual([expect.stringMatching(/\/keys\.ts$/)]);
  const help = await modulesOf("--help");
  expect(help.filter((url) => /\/client\/src\/(?!errors)|^node:http/.test(url))).toEqual([]);
});

test("--help lists every command that completion knows", async () => {
  const { stdout: help } = await desk.run(["--help"]);
  const { stdout: script } = await desk.run(["completion", "fish"]);
  const top = [...script.matchAll(/__daykey_at ''" -a (\S+)/g)].map(([, name = ""]) => name);
  expect(top.length).toBeGreaterThan(18);
  for (const name of top) expect(help).toMatch(new RegExp(`^  ${name} `, "m"));
});
