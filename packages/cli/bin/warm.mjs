// Fills the folder of compiled modules that daykey.mjs reads, for an image: each module of the command line
// is loaded once, but the one that runs it.
import { globSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../", import.meta.url));
module.enableCompileCache(`${folder}node_modules/.cache/`);
const files = globSync("src/**/*.ts", {
  cwd: folder,
  exclude: ["src/main.ts", "src/**/*.test.ts"],
});
for (const file of files) await import(new URL(`../${file}`, import.meta.url).href);
module.flushCompileCache();
process.stdout.write(`Compiled ${files.length} modules.\n`);
