/** The packed SDK in an empty project on the host's own Node: the example of its README, word for word. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packTarballs, type Tarballs } from "@daykey/client/test/pack";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT, startStack } from "../test/stack.ts";

/** Where a distribution puts its Node, often one that cannot run TypeScript. */
const SYSTEM_NODE = "/usr/bin/node";
const NODE = existsSync(SYSTEM_NODE) ? SYSTEM_NODE : process.execPath;
const VERSION = execFileSync(NODE, ["--version"], { encoding: "utf8" }).trim();

let tarballs: Tarballs<"client" | "common">;
let home: string;
let stop: () => Promise<void>;
beforeAll(async () => {
  const stack = await startStack();
  stop = stack.stop;
  home = stack.place.home;
  tarballs = await packTarballs(["client", "common"]);
});
afterAll(async () => {
  await tarballs.remove();
  await stop();
});

test(`Node ${VERSION}: both tarballs installed, the README's example gets a token and calls /time`, async () => {
  const readme = await readFile(join(ROOT, "packages/client/README.md"), "utf8");
  const example = /```js\n([^]*?)\n```/.exec(readme)?.[1] ?? "";
  expect(example.split("\n").length).toBe(5);

  const project = await tarballs.install();
  await cp(join(home, "demo-client.json"), join(project, "daykey.json"));
  await writeFile(join(project, "example.js"), example);
  const output = execFileSync(NODE, ["example.js"], { cwd: project, encoding: "utf8", env: {} });
  expect(output).toMatch(/^\{\n {2}time: '\d{4}-/);
});
