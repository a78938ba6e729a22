import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts"],
    globalSetup: ["packages/local/src/test-cluster.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // What is awaited comes when it can; a second is short on a busy machine.
    expect: { poll: { timeout: 10_000 } },
  },
});
