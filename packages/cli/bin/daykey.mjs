#!/usr/bin/env node
// Plain JavaScript, because any Node must be able to read it: the rest is TypeScript for Node 24.
import module from "node:module";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(
    `daykey needs Node ${OLDEST_NODE} or newer; this is ${process.version}. In the workspace, "npx daykey" finds the right one.\n`,
  );
  process.exit(2);
}
// Three times as fast from the second run on. In a folder of ours: who can write the cache runs code.
module.enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/", import.meta.url)));
await import("../src/main.ts");
