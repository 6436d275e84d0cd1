import { defineConfig } from "vitest/config";

/** Tests that load or measure the machine. They do not run beside the other tests. */
export default defineConfig({
  test: {
    include: ["test/chaos/*.chaos.ts"],
    pool: "forks",
    maxWorkers: process.env.LONG === "1" ? 1 : 3,
    setupFiles: ["test/support/setup.ts"],
    // Only a test that hangs takes this long.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
