import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The files that take longest, in the order in which they begin. Files that wait alternate with files that
 * compute, so that the processor always has work, and short files are left for the end.
 */
const FIRST = [
  "server/cluster/faults",
  "model/live",
  "server/cluster/two-nodes",
  "fuzz/fuzz",
  "attacks/slow",
  "grammar/grammar",
  "server/cluster/redis-log",
  "server/cluster/webhooks",
  "wire/readers",
  "server/gateway/time",
  "server/cluster/model",
  "client/interruptions",
  "attacks/anonymous",
  "fuzz/live",
  "wire/user-limits",
  "server/transport/contract",
  "model/core",
  "server/transport/http-contract",
  "attacks/back-end-doors",
  "wire/tokens",
  "wire/limits",
  "wire/patience",
  "attacks/status-storm",
  "client/gateway",
  "wire/invisible",
  "server/cluster/statuses",
  "wire/protocol-sequences",
  "attacks/unread-input",
  "wire/metrics",
  "server/gateway/large-snapshot",
];
/** The same for the end-to-end tests. */
const FIRST_END_TO_END = [
  "process/redis-cluster",
  "process/hoarders",
  "process/start",
  "package/install",
  "browser/sdk",
  "proxies/configurations",
  "process/attacks",
  "process/workers",
  "browser/dashboard-memory",
  "process/cluster",
  "browser/dashboard-states",
  "process/drain",
  "package/sdk",
  "process/watch",
  "browser/dashboard",
  "process/jwks",
  "process/reload",
  "browser/dashboard-filter",
  "browser/dashboard-details",
  "process/cli",
  "browser/together",
  "process/canaries",
  "browser/dashboard-markup",
  "browser/react",
  "proxies/compose",
];
/**
 * So many files begin before those of the project `clock`. Vitest ends a worker when the next file is one of
 * another project. These are all waiting by then, so one worker does the whole project, and is the only one
 * that is replaced.
 */
const BEFORE_CLOCK = 5;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification) => {
      if (project.name === "clock") return BEFORE_CLOCK - 0.5;
      const first = project.name === "e2e" ? FIRST_END_TO_END : FIRST;
      const index = first.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return index === -1 ? first.length : index;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

/** End-to-end tests: of programs, packages and pages as users have them, in processes of their own. */
const END_TO_END = ["process", "browser", "proxies", "package", "examples"].map(
  (folder) => `test/${folder}/`,
);
const END_TO_END_FILES = END_TO_END.map((folder) => `${folder}**/*.test.ts`);

/**
 * Tests that replace the clock. They share no process with tests that open sockets: what those leave in their
 * process, such as the timer of an HTTP connection that is kept alive, would run on the replaced clock.
 */
const HOLD_THE_CLOCK = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => `test/${name}`)
  .filter((name) => !END_TO_END.some((folder) => name.startsWith(folder)))
  .filter((name) => /useFakeTimers|holdClock\(\)/.test(readFileSync(name, "utf8")));

export default defineConfig({
  // The hooks name the client as applications do; here it is the source, and not what was built last.
  resolve: {
    alias: { "@presence-gateway/client": fileURLToPath(new URL("src/client/index.ts", import.meta.url)) },
  },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "sockets",
          include: ["test/**/*.test.ts"],
          exclude: [...HOLD_THE_CLOCK, ...END_TO_END_FILES],
        },
      },
      { extends: true, test: { name: "clock", include: HOLD_THE_CLOCK } },
      { extends: true, test: { name: "e2e", include: END_TO_END_FILES } },
    ],
    // Processes, because uWebSockets.js is a native addon. Files share them, which halves what the suite
    // costs. A test about memory or a whole process starts one of its own.
    pool: "forks",
    isolate: false,
    // More than cores, because the files that begin first mostly wait.
    maxWorkers: 6,
    sequence: { sequencer: LongestFirst },
    globalSetup: ["test/support/announce.ts"],
    setupFiles: ["test/support/setup.ts"],
    // Only a test that hangs takes this long. On a busy machine time makes no test fail either.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 240_000 } },
  },
});
