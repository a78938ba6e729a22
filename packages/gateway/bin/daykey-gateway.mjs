#!/usr/bin/env node
// Plain JavaScript, because any Node must be able to read it: the rest is TypeScript for Node 24.
const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(
    `daykey-gateway needs Node ${OLDEST_NODE} or newer; this is ${process.version}. In the workspace, "npx daykey-gateway" finds the right one.\n`,
  );
  process.exit(2);
}
await import("../src/main.ts");
