import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));

/** Each floor and those below it that it may import. Data flows down here and comes back as return values. */
const FLOORS: Record<string, readonly string[]> = {
  shared: [],
  protocol: ["shared"],
  sessions: ["protocol", "shared"],
  views: ["sessions", "protocol", "shared"],
  auth: ["views", "protocol", "shared"],
  gateway: ["auth", "views", "sessions", "protocol", "shared"],
  http: ["gateway", "auth", "views", "sessions", "protocol", "shared"],
  transport: ["gateway", "http", "shared"],
  cluster: ["gateway", "sessions", "protocol", "shared"],
  observability: ["cluster", "gateway"],
  // What runs beside the gateway, and knows it by the wire only.
  client: ["protocol"],
  react: ["client"],
  dashboard: ["client"],
  cli: ["client", "auth", "protocol"],
};
/** The files beside the folders put the floors together, and may import any. */
const PURE = ["protocol", "sessions", "views"];
/** Of the cluster, all but these, which are the edge. */
const CLUSTER_EDGE = /^cluster\/(cluster|link|redis-\w+)\.ts$/;

interface SourceFile {
  readonly name: string;
  readonly floor: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const files: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => {
    const text = readFileSync(join(SRC, name), "utf8");
    const imports = [...text.matchAll(/(?:from |import |import\()"([^"]+)"/g)].map((match) => match[1]!);
    return { name, floor: name.includes("/") ? name.split("/")[0]! : "", text, imports };
  });

it("every folder has its floor", () => {
  expect(files.length).toBeGreaterThan(40);
  const folders = new Set(files.map((file) => file.floor).filter((floor) => floor !== ""));
  expect([...folders].sort()).toEqual(Object.keys(FLOORS).sort());
});

it("imports go down only", () => {
  const wrong = files.flatMap(({ name, floor, imports }) =>
    imports
      .filter((target) => target.startsWith("."))
      .map((target) => relative(SRC, join(SRC, dirname(name), target)).split("/"))
      .filter(
        (parts) =>
          floor !== "" && parts[0] !== floor && !(parts.length > 1 && FLOORS[floor]!.includes(parts[0]!)),
      )
      .map((parts) => `${name} imports ${parts.join("/")}`),
  );
  expect(wrong).toEqual([]);
});

it("the pure heart knows no clock, no timers, no process and nothing of Node", () => {
  const impure =
    /\bDate\b|\bperformance\b|\bset(Timeout|Interval|Immediate)\b|\bprocess\b|\bMath\.random\b|\bBuffer\b/;
  const wrong = files
    .filter(({ name, floor }) => PURE.includes(floor) || (floor === "cluster" && !CLUSTER_EDGE.test(name)))
    .flatMap(({ name, text, imports }) => [
      ...imports.filter((target) => target.startsWith("node:")).map((target) => `${name} imports ${target}`),
      ...withoutComments(text)
        .split("\n")
        .filter((line) => impure.test(line))
        .map((line) => `${name}: ${line.trim()}`),
    ]);
  expect(wrong).toEqual([]);
});

it("only the composition root names concrete transports and the log", () => {
  const wrong = files
    // The command line is a client, which brings its own WebSocket where Node has none.
    .filter(({ floor }) => !["", "transport", "observability", "cli"].includes(floor))
    .flatMap(({ name, imports }) =>
      imports
        .filter((target) => target === "pino" || target === "ws")
        .map((target) => `${name} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

it("Redis is loaded by those who use it only", () => {
  const wrong = files
    .filter(({ floor }) => floor !== "cluster")
    .flatMap(({ name, text }) =>
      [...text.matchAll(/^import (?!type)[^;]*?"([^"]+)";/gm)]
        .map((match) => match[1]!)
        .filter((target) => /\/cluster\/|^@redis\//.test(target))
        .map((target) => `${name} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
}
