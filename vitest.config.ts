import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes longest begins first, or one core would have nothing to do in the end. */
const LONGEST = [
  "process/hoarders",
  "process/cluster",
  "proxies/configurations",
  "server/cluster/faults",
  "server/cluster/two-nodes",
  "browser/sdk",
  "fuzz/fuzz",
  "server/cluster/model",
  "attacks/slow",
  "server/gateway/time",
  "process/attacks",
  "process/start",
  "process/redis-cluster",
  "client/gateway",
  "browser/dashboard",
  "browser/dashboard-memory",
  "browser/dashboard-states",
  "browser/together",
  "package/install",
  "package/sdk",
  "proxies/compose",
  "process/cli",
  "wire/patience",
  "model/live",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return index === -1 ? LONGEST.length : index;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

/**
 * Tests that replace the clock. They share no process with tests that open sockets: what those leave in their
 * process, such as the timer of an HTTP connection that is kept alive, would run on the replaced clock.
 */
const HOLD_THE_CLOCK = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => `test/${name}`)
  .filter((name) => /useFakeTimers|holdClock\(\)/.test(readFileSync(name, "utf8")));

export default defineConfig({
  // The hooks name the client as applications do; here it is the source, and not what was built last.
  resolve: {
    alias: { "@presence-gateway/client": fileURLToPath(new URL("src/client/index.ts", import.meta.url)) },
  },
  test: {
    projects: [
      { extends: true, test: { name: "sockets", include: ["test/**/*.test.ts"], exclude: HOLD_THE_CLOCK } },
      { extends: true, test: { name: "clock", include: HOLD_THE_CLOCK } },
    ],
    // Processes, for uWebSockets.js is a native addon. Files share them, which halves what the suite costs; what looks at memory
    // or at the whole of a process has one of its own, started by the test.
    pool: "forks",
    isolate: false,
    // More than cores: most suites wait for time to pass.
    maxWorkers: 5,
    sequence: { sequencer: LongestFirst },
    globalSetup: ["test/support/announce.ts"],
    setupFiles: ["test/support/setup.ts"],
    // Only what hangs takes as long: time is not what makes a test fail, on a machine that is busy with other things, too.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
