import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { openApiDocument } from "../../src/server/http/openapi.ts";
import { readSettings } from "../../src/server/settings/settings.ts";
import { PROJECT } from "../support/process.ts";
import { blocksOf, DOCUMENTS } from "./documents.ts";

// The code blocks of the documents. Each of them runs in some test, or the list says why it does not.

interface Example {
  readonly document: string;
  /** The beginning of the block. */
  readonly begins: string;
  /** The test that runs it. */
  readonly test?: string;
  /** Why none does. */
  readonly why?: string;
}

const HERE = "test/structure/examples.test.ts";
const READS_README = "test/process/readme.test.ts";
const INSTALLS = "test/package/install.test.ts";
const STARTS_ANEW = "it installs the whole project anew, which .ci/run does";
const NOT_PUBLISHED = "nothing is published yet: test/package/install.test.ts installs what would be";

const EXAMPLES: readonly Example[] = [
  { document: "CONTRIBUTING.md", begins: "npm ci && npm run build", why: STARTS_ANEW },
  { document: "README.md", begins: "npm ci && npm start", why: STARTS_ANEW },
  { document: "README.md", begins: "npm run demo", test: "test/process/crowd.test.ts" },
  { document: "README.md", begins: "npm run watch", test: "test/process/watch.test.ts" },
  { document: "README.md", begins: "APPS='[{", test: READS_README },
  { document: "README.md", begins: "curl -s http://127.0.0.1:8080/v1/my-app/presences", test: READS_README },
  { document: "README.md", begins: '{\n  "data": {', test: READS_README },
  { document: "README.md", begins: "const socket = new WebSocket", test: READS_README },
  { document: "README.md", begins: "import { createClient, others }", test: INSTALLS },
  { document: "README.md", begins: "APP_ID=my-app APP_SECRET=", test: READS_README },
  { document: "README.md", begins: "export GATEWAY_URL=", test: READS_README },
  { document: "README.md", begins: "curl -sN --max-time 1", test: READS_README },
  { document: "README.md", begins: "import { SignJWT }", test: READS_README },
  { document: "README.md", begins: "export APPS=", test: HERE },
  { document: "README.md", begins: "npm ci && npm test", why: STARTS_ANEW },
  { document: "docs/architecture.md", begins: "  browsers, programs", why: "a drawing" },
  { document: "docs/authentication.md", begins: "{", test: "test/server/auth/recipes.test.ts" },
  { document: "docs/from-talkjs.md", begins: "", test: "test/process/from-talkjs.test.ts" },
  { document: "docs/operations.md", begins: "export APPS=", test: HERE },
  { document: "docs/operations.md", begins: "ACL SETUSER", test: "test/server/cluster/faults.test.ts" },
  { document: "docs/operations.md", begins: "spec:\n", test: HERE },
  { document: "docs/operations.md", begins: "[Unit]", test: HERE },
  { document: "docs/protocol.md", begins: "", test: "test/wire/protocol-sequences.test.ts" },
  { document: "examples/README.md", begins: "export GATEWAY_URL=", test: "test/examples/readme.test.ts" },
  { document: "src/client/README.md", begins: "npm install", why: NOT_PUBLISHED },
  { document: "src/client/README.md", begins: "import { createClient }", test: INSTALLS },
  { document: "src/client/README.md", begins: "const ", test: INSTALLS },
  { document: "src/client/README.md", begins: "import { setStatus,", test: INSTALLS },
  { document: "src/client/README.md", begins: "import { lastSeen }", test: INSTALLS },
  { document: "src/react/README.md", begins: "npm install", why: NOT_PUBLISHED },
  { document: "src/react/README.md", begins: "import { others }", test: INSTALLS },
  { document: "src/react/README.md", begins: "import { trackIdle }", test: INSTALLS },
];

describe("every code block", () => {
  const blocks = DOCUMENTS.flatMap((document) => blocksOf(document).map(({ text }) => ({ document, text })));
  const isOf = (example: Example) => (block: { document: string; text: string }) =>
    block.document === example.document && block.text.startsWith(example.begins);

  it("runs in a test, or the list says why not", () => {
    const unlisted = blocks.filter((block) => !EXAMPLES.some((example) => isOf(example)(block)));
    expect(unlisted).toEqual([]);
  });

  it.each(EXAMPLES)("of the list is there: $document, $begins", (example) => {
    expect(blocks.some(isOf(example))).toBe(true);
    expect([example.test, example.why].filter(Boolean)).toHaveLength(1);
    if (example.test !== undefined) expect(existsSync(join(PROJECT, example.test))).toBe(true);
  });
});

/** The variables that a shell block sets. */
const variablesOf = (block: string): Record<string, string> =>
  Object.fromEntries(
    [...block.matchAll(/\b([A-Z_]+)=(?:'([^']*)'|(\S+))/g)].map(([, name, quoted, plain]) => [
      name!,
      quoted ?? plain!,
    ]),
  );

describe("the shell lines for several nodes", () => {
  const nodes = blocksOf("docs/operations.md")
    .filter(({ language }) => language === "sh")
    .map(({ text }) => readSettings(variablesOf(text)));

  it("are settings of nodes with one Redis, the same apps, and a port of their own", () => {
    expect(nodes).toHaveLength(2);
    const [one, other] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    expect(one.redisUrls).toEqual(["redis://127.0.0.1:6379"]);
    expect(other.redisUrls).toEqual(one.redisUrls);
    expect(other.apps).toEqual(one.apps);
    expect(other.port).not.toBe(one.port);
  });

  it("start a compose file that needs nothing else", () => {
    const block = blocksOf("README.md").find(({ text }) => text.startsWith("export APPS="))!.text;
    const file = /docker compose -f (\S+) up/.exec(block)![1]!;
    const needed = [...readFileSync(join(PROJECT, file), "utf8").matchAll(/\$\{(\w+)/g)];
    expect(new Set(needed.map((match) => match[1]))).toEqual(new Set(Object.keys(variablesOf(block))));
    expect(readSettings({ APPS: variablesOf(block).APPS }).apps).toHaveLength(1);
  });
});

it("the pod for Kubernetes has times that fit, and probes that there are", () => {
  const [block] = blocksOf("docs/operations.md").filter(({ language }) => language === "yaml");
  const { spec } = parse(block!.text);
  const [container] = spec.containers;
  const [, seconds] = container.lifecycle.preStop.exec.command;
  const { value: graceMs } = container.env.find(
    (each: { name: string }) => each.name === "TERMINATION_GRACE_MS",
  );
  expect(() => readSettings({ TERMINATION_GRACE_MS: graceMs })).not.toThrow();
  expect(Number(graceMs) / 1000 + Number(seconds)).toBeLessThanOrEqual(spec.terminationGracePeriodSeconds);
  const paths = Object.keys(openApiDocument("0.0.0").paths as object);
  expect(paths).toContain(container.readinessProbe.httpGet.path);
  expect(paths).toContain(container.livenessProbe.httpGet.path);
});

it("the unit for systemd has settings that are valid, and time enough to go down", () => {
  const [block] = blocksOf("docs/operations.md").filter(({ language }) => language === "ini");
  const lines = new Map(block!.text.split("\n").map((line) => line.split(/=(.*)/) as [string, string]));
  const { APPS_FILE, ...settings } = variablesOf(lines.get("Environment")!);
  expect(APPS_FILE).toMatch(/^\//);
  expect(() => readSettings(settings)).not.toThrow();
  expect(Number(settings.TERMINATION_GRACE_MS) / 1000).toBeLessThanOrEqual(
    Number(lines.get("TimeoutStopSec")),
  );
  expect(lines.get("ExecReload")).toContain("-HUP");
});
