import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandLine, startCommandLine } from "../test/daykey.ts";

let line: CommandLine;
beforeAll(async () => {
  line = await startCommandLine();
});
afterAll(() => line.stop());

test("R14: after daykey restored no token from before is good at the resource, and a new one is", async () => {
  const old = join(line.folder, "old.token");
  await writeFile(old, await line.result("token"));
  expect(await line.result(`time --token-file ${old}`)).toContain("UTC");
  expect((await line.daykey("restored")).code).toBe(2);

  expect(await line.result("restored --yes")).toBe("every token of 3 clients is ended\n");

  const refused = async () => (await line.daykey(`time --token-file ${old}`)).code;
  await expect.poll(refused, { timeout: 10_000 }).toBe(1);
  const served = async () => (await line.daykey("time")).code;
  await expect.poll(served, { timeout: 10_000 }).toBe(0);
});
