/** The bench still works: all of it once, for a moment. What it measures then says nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

test("every measurement is taken and told", { timeout: 180_000 }, async () => {
  const child = spawn(process.execPath, [MAIN, "--quick"], { stdio: ["ignore", "pipe", "pipe"] });
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => (written[name] += text));
  }
  const [code] = (await once(child, "close")) as [number | null];

  expect(code, written.stderr).toBe(0);
  const headings = written.stdout.match(/^### .+$/gm);
  expect(headings).toEqual([
    "### Targets",
    "### Tokens",
    "### Refreshes",
    "### Introspection",
    "### Validations",
    "### Latency at 70 % of the maximum",
    "### Primes",
    "### 400 tokens",
    "### Start",
  ]);
  expect(written.stdout).not.toMatch(/NaN|undefined|Infinity/);
});
