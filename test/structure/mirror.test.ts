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

const contract = (why: string): Exception => ({ suite: "server/transport/contract.test.ts", why });
const httpContract = (why: string): Exception => ({ suite: "server/transport/http-contract.test.ts", why });
/** A module without code. The suite uses its types. */
const types = (suite: string): Exception => ({ suite, why: "types only" });
/** What only a page shows, which needs a browser. */
const page = (why: string): Exception => ({ suite: "browser/dashboard.test.ts", why });
const pageDetails = (why: string): Exception => ({ suite: "browser/dashboard-details.test.ts", why });
const pageFilter = (why: string): Exception => ({ suite: "browser/dashboard-filter.test.ts", why });
const people = (why: string): Exception => ({ suite: "browser/dashboard-status.test.ts", why });
const pageState = (why: string): Exception => ({ suite: "browser/dashboard-states.test.ts", why });
const pageMarkup = (why: string): Exception => ({ suite: "browser/dashboard-markup.test.ts", why });

/** Modules that have no test of their own, for good. */
const COVERED_ELSEWHERE: Readonly<Record<string, Exception>> = {
  "main.ts": { suite: "process/start.test.ts", why: "starts the program, which only a process can show" },
  "server/serve.ts": { suite: "process/start.test.ts", why: "handles the signals and the end of a process" },
  "server/serve-primary.ts": {
    suite: "process/workers.test.ts",
    why: "starts processes, which only processes can show",
  },
  "server/serve-worker.ts": { suite: "process/workers.test.ts", why: "is such a process" },
  "server/workers/fork-worker.ts": { suite: "process/workers.test.ts", why: "starts such a process" },
  "server/workers/messages.ts": types("server/workers/worker-pool.test.ts"),
  "server/gateway/budget-rates.ts": types("server/gateway/user-budget.test.ts"),
  "server/server.ts": {
    suite: "wire/http.test.ts",
    why: "puts the parts together; every wire suite starts it",
  },
  "server/cluster/cluster.ts": {
    suite: "server/cluster/two-nodes.test.ts",
    why: "connects the parts of a node with Redis; several nodes show whether that works",
  },
  "server/auth/signer.ts": types("server/auth/public-keys.test.ts"),
  "server/cluster/effect.ts": types("server/cluster/effect-applier.test.ts"),
  "server/cluster/log.ts": types("server/cluster/redis-log.test.ts"),
  "server/workers/channel.ts": types("server/workers/ipc-channel.test.ts"),
  "server/gateway/body-sink.ts": types("server/transport/http-contract.test.ts"),
  "server/gateway/gateway-config.ts": { suite: "wire/limits.test.ts", why: "types and constants only" },
  "server/gateway/replication.ts": types("server/cluster/replication-sink.test.ts"),
  "server/gateway/reply.ts": types("server/gateway/socket-sessions.test.ts"),
  "server/gateway/session-context.ts": types("server/gateway/session-life.test.ts"),
  "server/gateway/socket.ts": types("server/gateway/connection.test.ts"),
  "server/transport/uws/uws.ts": contract("glue over the sockets of uWebSockets.js"),
  "server/transport/uws/uws-exchange.ts": httpContract("glue over the requests of uWebSockets.js"),
  "server/transport/uws/uws-types.ts": contract("types only"),
  "server/transport/ws/ws.ts": contract("glue over the sockets of ws"),
  "server/transport/ws/node-http.ts": httpContract("glue over the server of node:http"),
  "server/transport/ws/node-connection.ts": contract("glue over the connections of node:http"),
  "server/transport/ws/node-exchange.ts": httpContract("glue over the requests of node:http"),
  "server/transport/ws/node-response.ts": httpContract("glue over the responses of node:http"),
  "cli/cli-dependencies.ts": types("cli/serve.test.ts"),
  "cli/watch/watch-output.ts": types("cli/watch/plain-lines.test.ts"),
  "dashboard/app.tsx": page("the sign-in form, or the dashboard after it"),
  "dashboard/dashboard.tsx": page("puts the parts of the page together"),
  "dashboard/main.tsx": page("puts the app into the page"),
  "dashboard/parts/activity-panel.tsx": page("renders who entered and left, with the cause"),
  "dashboard/parts/announcer.tsx": pageState("renders what screen readers say about the connection"),
  "dashboard/parts/chart-strip.tsx": page("renders four charts"),
  "dashboard/parts/chart.tsx": page("renders a value and draws its history on a canvas"),
  "dashboard/parts/chip.tsx": pageFilter("renders one user of the filter with a button that removes it"),
  "dashboard/parts/choice.tsx": pageFilter("renders radio buttons"),
  "dashboard/parts/conversation-field.tsx": pageFilter("renders the control of the conversation"),
  "dashboard/parts/conversation-table.tsx": page("renders the conversations on screen"),
  "dashboard/parts/curl-panel.tsx": pageFilter("renders the curl command, and copies it"),
  "dashboard/parts/details-panel.tsx": pageDetails("renders the sessions of a user"),
  "dashboard/parts/custom-field.tsx": people("renders the control of the custom fields"),
  "dashboard/parts/export-bar.tsx": page("saves the rows as a file"),
  "dashboard/parts/fact.tsx": page("renders a name and a value"),
  "dashboard/parts/filter-bar.tsx": pageFilter("renders the controls of the filter"),
  "dashboard/parts/fold.tsx": pageState("folds filter and charts away on a phone"),
  "dashboard/parts/node-panel.tsx": page("renders the health of the node"),
  "dashboard/parts/presence-panel.tsx": page("renders the counts, the search and the table"),
  "dashboard/parts/presence-table.tsx": page("renders the rows on screen; the keyboard moves in them"),
  "dashboard/parts/question.tsx": pageDetails("asks before the sessions of a user end"),
  "dashboard/parts/sign-in-form.tsx": page("renders the form, and why it refuses a token"),
  "dashboard/parts/state-notice.tsx": pageState("renders a message for each state of the connection"),
  "dashboard/parts/status-field.tsx": people("renders the control of the statuses"),
  "dashboard/parts/status-pill.tsx": pageState("renders the state of the connection"),
  "dashboard/parts/table-actions.ts": types("browser/dashboard.test.ts"),
  "dashboard/parts/table-head.tsx": page("renders the titles and the sort order"),
  "dashboard/parts/table-row.tsx": page("renders a user"),
  "dashboard/parts/token-form.tsx": page("renders the field of a token, and how to get one"),
  "dashboard/parts/token-notice.tsx": pageState("renders that the token ends, and takes another one"),
  "dashboard/parts/top-bar.tsx": page("renders the app, the theme and the way out"),
  "dashboard/parts/user-actions.tsx": people("sets and clears a status, and erases a user"),
  "dashboard/parts/user-status.tsx": people("renders status, emoji and text"),
  "dashboard/parts/user-text.tsx": pageMarkup("renders a text of a user unchanged"),
  "dashboard/parts/users-field.tsx": pageFilter("renders the control of the users"),
  "dashboard/parts/webhook-panel.tsx": {
    suite: "browser/dashboard-webhooks.test.ts",
    why: "renders how the webhooks of the app are doing",
  },
  "dashboard/store/use-dashboard-state.ts": pageFilter(
    "a hook; the buttons back and forward show what it does",
  ),
  "dashboard/store/use-media.ts": pageState("a hook; the theme of the system shows what it does"),
  "dashboard/store/use-scroll.ts": pageState("a hook; scrolling through 20,000 users shows what it does"),
  "dashboard/store/use-theme.ts": pageState("a hook; the theme of the page shows what it does"),
  "dashboard/store/use-topic.ts": page("a hook; every live part of the page needs it"),
};

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
  ];
}

const modules = filesIn("src").filter(isModule);
const tests = filesIn("test").filter((name) => name.endsWith(".test.ts"));

describe("the search", () => {
  it("finds what is missing, and exceptions that are none", () => {
    const faults = findFaults({
      modules: ["a/b.ts", "a/c.tsx", "a/d.ts", "a/e.ts"],
      tests: ["a/b.test.ts", "a/c.test.ts", "b.test.ts"],
      exceptions: ["a/c.tsx", "a/d.ts", "a/f.ts"],
    });
    expect(faults).toEqual([
      "src/a/e.ts has no test: write test/a/e.test.ts",
      "src/a/f.ts is an exception, and there is no such module",
      "src/a/c.tsx is an exception, and has a test: take it off the list",
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
  expect(findFaults({ modules, tests, exceptions: Object.keys(COVERED_ELSEWHERE) })).toEqual([]);
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
