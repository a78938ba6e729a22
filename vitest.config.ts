import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts"],
    globalSetup: ["packages/local/src/test-cluster.ts"],
    // Three at least, also on two cores: the longest files mostly wait for the processes they start.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // Node's own cache of compiled modules: a process that a test starts needs half the time from it.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/daykey-tests") },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is awaited comes when it can; a second is short on a busy machine.
    expect: { poll: { timeout: 10_000 } },
  },
});
