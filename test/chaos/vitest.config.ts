import { defineConfig } from "vitest/config";

/** What loads the machine, or measures it: not beside the other tests. */
export default defineConfig({
  test: {
    include: ["test/chaos/*.chaos.ts"],
    pool: "forks",
    maxWorkers: process.env.LONG === "1" ? 1 : 3,
    setupFiles: ["test/support/setup.ts"],
    // Only what hangs takes as long.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
