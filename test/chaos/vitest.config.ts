import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Starts the two files with one long test first. The others would otherwise keep a worker from them. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => /\/(?:nodes|short-run)\.chaos\.ts$/.test(moduleId);
    return (await super.sort(files)).sort((one, other) => Number(isLong(other)) - Number(isLong(one)));
  }
}

/** Tests that load or measure the machine. They do not run beside other tests of the same priority. */
export default defineConfig({
  test: {
    include: ["test/chaos/*.chaos.ts"],
    pool: "forks",
    maxWorkers: process.env.LONG === "1" ? 1 : 3,
    sequence: { sequencer: LongestFirst },
    setupFiles: ["test/support/setup.ts"],
    // Only a test that hangs takes this long.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
