import { defineConfig } from "vitest/config";

/** What loads the machine, or measures it: not beside the other tests. */
export default defineConfig({
  test: {
    include: ["test/chaos/*.chaos.ts"],
    pool: "forks",
    maxWorkers: process.env.LONG === "1" ? 1 : 3,
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
