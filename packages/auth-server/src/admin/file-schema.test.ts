/** The schema of files is that of the admin API, as the command line has it. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { daykeyFileSchema } from "./file-schema.ts";

const KEPT = new URL("../../../cli/daykey-file.schema.json", import.meta.url);

test("the command line checks files by the admin API's own schemas", async () => {
  const kept: unknown = JSON.parse(await readFile(KEPT, "utf8"));
  // When it is not: write what `daykeyFileSchema` returns to that file, then run oxfmt.
  expect(kept).toEqual(JSON.parse(JSON.stringify(daykeyFileSchema())));
});
