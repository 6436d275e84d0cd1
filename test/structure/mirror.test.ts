import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

// Tests mirror the sources: src/x/y.ts has its test in test/x/y.test.ts. What is not so is named here.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface Exception {
  /** The suite that covers the module, under test/. */
  readonly suite: string;
  /** Why the module has no test of its own. */
  readonly why: string;
}

const CONTRACT = "server/transport/contract.test.ts";
const contract = (why: string): Exception => ({ suite: CONTRACT, why });

/** Modules that have no test of their own, for good. */
const COVERED_ELSEWHERE: Readonly<Record<string, Exception>> = {
  "main.ts": { suite: "process/start.test.ts", why: "starts the program, which only a process can show" },
  "server/serve.ts": { suite: "process/start.test.ts", why: "handles the signals and the end of a process" },
  "server/server.ts": {
    suite: "wire/http.test.ts",
    why: "puts the parts together; every wire suite starts it",
  },
  "server/cluster/cluster.ts": {
    suite: "server/cluster/two-nodes.test.ts",
    why: "connects the parts of a node with Redis; several nodes show whether that works",
  },
  "server/cluster/effect.ts": { suite: "server/cluster/effect-applier.test.ts", why: "types only" },
  "server/cluster/log.ts": { suite: "server/cluster/redis-log.test.ts", why: "types only" },
  "server/transport/uws/uws.ts": contract("glue over the sockets of uWebSockets.js"),
  "server/transport/uws/uws-exchange.ts": contract("glue over the requests of uWebSockets.js"),
  "server/transport/uws/uws-types.ts": contract("types only"),
  "server/transport/ws/ws.ts": contract("glue over the sockets of ws"),
  "server/transport/ws/node-http.ts": contract("glue over the server of node:http"),
  "server/transport/ws/node-connection.ts": contract("glue over the connections of node:http"),
  "server/transport/ws/node-exchange.ts": contract("glue over the requests of node:http"),
  "server/transport/ws/node-response.ts": contract("glue over the responses of node:http"),
};

// ---- Pending: modules whose tests are still to be written. Whoever adds a test removes its entry here.
const PENDING: readonly string[] = [
  "cli/cli-dependencies.ts",
  "cli/cli-error.ts",
  "cli/crowd.ts",
  "cli/finish.ts",
  "cli/query.ts",
  "cli/serve.ts",
  "cli/simulator/simulate.ts",
  "cli/simulator/user.ts",
  "cli/token.ts",
  "cli/watch.ts",
  "cli/watch/watch-output.ts",
  "dashboard/app.tsx",
  "dashboard/dashboard.tsx",
  "dashboard/main.tsx",
  "dashboard/parts/activity-panel.tsx",
  "dashboard/parts/announcer.tsx",
  "dashboard/parts/chart-strip.tsx",
  "dashboard/parts/chart.tsx",
  "dashboard/parts/choice.tsx",
  "dashboard/parts/conversation-field.tsx",
  "dashboard/parts/curl-panel.tsx",
  "dashboard/parts/details-panel.tsx",
  "dashboard/parts/filter-bar.tsx",
  "dashboard/parts/make-plot.ts",
  "dashboard/parts/move-cell.ts",
  "dashboard/parts/node-panel.tsx",
  "dashboard/parts/presence-panel.tsx",
  "dashboard/parts/presence-table.tsx",
  "dashboard/parts/sign-in-form.tsx",
  "dashboard/parts/state-notice.tsx",
  "dashboard/parts/status-pill.tsx",
  "dashboard/parts/table-actions.ts",
  "dashboard/parts/table-columns.ts",
  "dashboard/parts/table-head.tsx",
  "dashboard/parts/table-row.tsx",
  "dashboard/parts/top-bar.tsx",
  "dashboard/parts/user-text.tsx",
  "dashboard/parts/users-field.tsx",
  "dashboard/store/use-dashboard-state.ts",
  "dashboard/store/use-media.ts",
  "dashboard/store/use-theme.ts",
  "dashboard/store/use-topic.ts",
  "server/gateway/body-sink.ts",
  "server/gateway/connection.ts",
  "server/gateway/gateway-config.ts",
  "server/gateway/replication-sink.ts",
  "server/gateway/reply.ts",
  "server/gateway/session-context.ts",
  "server/gateway/socket.ts",
];
// ---- End of the pending part.

/** The names of all files in a folder, with slashes. */
function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => !/(?:^|\/)(?:dist|node_modules)\//.test(name));
}

const isModule = (name: string) => /\.tsx?$/.test(name) && !/\.(?:d|config)\.ts$/.test(name);
const testOf = (module: string) => module.replace(/\.tsx?$/, ".test.ts");

interface Mirror {
  readonly modules: readonly string[];
  readonly tests: readonly string[];
  /** Modules that need no test of their own. */
  readonly exceptions: readonly string[];
}

/** What is wrong: modules without a test, and exceptions that are none. */
function findFaults({ modules, tests, exceptions }: Mirror): string[] {
  const known = new Set(tests);
  const has = (module: string) => known.has(testOf(module));
  return [
    ...modules
      .filter((module) => !has(module) && !exceptions.includes(module))
      .map((module) => `src/${module} has no test: write test/${testOf(module)}`),
    ...exceptions
      .filter((module) => !modules.includes(module))
      .map((module) => `src/${module} is an exception, and there is no such module`),
    ...exceptions
      .filter((module) => modules.includes(module) && has(module))
      .map((module) => `src/${module} is an exception, and has a test: take it off the list`),
    ...exceptions
      .filter((module, i) => exceptions.indexOf(module) !== i)
      .map((module) => `src/${module} is an exception twice`),
  ];
}

const modules = filesIn("src").filter(isModule);
const tests = filesIn("test").filter((name) => name.endsWith(".test.ts"));

describe("the search", () => {
  it("finds what is missing, and exceptions that are none", () => {
    const faults = findFaults({
      modules: ["a/b.ts", "a/c.tsx", "a/d.ts", "a/e.ts"],
      tests: ["a/b.test.ts", "a/c.test.ts", "b.test.ts"],
      exceptions: ["a/c.tsx", "a/d.ts", "a/f.ts", "a/d.ts"],
    });
    expect(faults).toEqual([
      "src/a/e.ts has no test: write test/a/e.test.ts",
      "src/a/f.ts is an exception, and there is no such module",
      "src/a/c.tsx is an exception, and has a test: take it off the list",
      "src/a/d.ts is an exception twice",
    ]);
  });

  it("sees the sources of every package", () => {
    expect(modules.length).toBeGreaterThan(250);
    const folders = new Set(modules.map((name) => name.split("/")[0]));
    for (const folder of ["cli", "client", "core", "dashboard", "protocol", "react", "server"]) {
      expect(folders).toContain(folder);
    }
  });
});

it("every module has a test of its name, or an entry that says which suite covers it", () => {
  expect(findFaults({ modules, tests, exceptions: [...Object.keys(COVERED_ELSEWHERE), ...PENDING] })).toEqual(
    [],
  );
});

it("every suite that is named here exists", () => {
  const missing = Object.values(COVERED_ELSEWHERE).filter(
    ({ suite }) => !existsSync(join(ROOT, "test", suite)),
  );
  expect(missing).toEqual([]);
});

it("the root of the tests has folders only, and the settings of their compiler", () => {
  const files = readdirSync(join(ROOT, "test"), { withFileTypes: true }).filter(
    (entry) => !entry.isDirectory(),
  );
  expect(files.map(({ name }) => name)).toEqual(["tsconfig.json"]);
});
