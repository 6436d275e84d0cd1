import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));

/** Each layer and those below it that it may import. Data flows down here and comes back as return values. */
const LAYERS: Record<string, readonly string[]> = {
  // Plain types, codes, limits: without any package, for the SDK is built of it too.
  "protocol/wire": [],
  protocol: ["protocol/wire"],
  "core/ids": ["protocol/wire"],
  "core/collections": [],
  "core/sessions": ["protocol", "core/collections"],
  "core/views": ["core/sessions", "protocol", "core/collections"],
  "server/clock": [],
  "server/auth": ["core/views", "protocol", "core/collections"],
  "server/gateway": [
    "server/auth",
    "server/clock",
    "core/views",
    "core/sessions",
    "protocol",
    "core/collections",
  ],
  "server/http": [
    "server/gateway",
    "server/auth",
    "core/views",
    "core/sessions",
    "protocol",
    "core/collections",
  ],
  "server/transport": ["server/internals", "server/gateway", "server/http", "protocol", "core/collections"],
  "server/cluster": ["server/gateway", "server/clock", "core/sessions", "protocol", "core/collections"],
  "server/workers": [
    "server/observability",
    "server/cluster",
    "server/http",
    "server/gateway",
    "server/clock",
    "core/collections",
  ],
  "server/webhooks": [
    "server/gateway",
    "server/auth",
    "server/clock",
    "core/views",
    "protocol",
    "core/collections",
  ],
  "server/observability": ["server/internals", "server/cluster", "server/webhooks", "server/gateway"],
  "server/internals": [],
  "server/development-secret": [],
  "server/settings": ["server/internals", "server/gateway", "server/auth", "protocol"],
  // What runs beside the gateway, and knows it by the wire only.
  client: ["protocol/wire"],
  // Packages of their own are imported by name.
  react: [],
  dashboard: ["client"],
  cli: ["client", "server/auth", "protocol"],
};
/** The files that put the layers together may import any. */
const ROOTS =
  /^(?:main|server\/(?:server|serve|serve-primary|serve-worker|development|node-apps|node-support|reload-signal|reloads|version))\.ts$/;
const PURE = ["protocol/wire", "protocol", "core/collections", "core/sessions", "core/views"];
const PLAIN = /^protocol\/(?:wire|codes|rules)\.ts$/;
/** Of the cluster, all but these, which are the edge. */
const CLUSTER_EDGE = /^server\/cluster\/(cluster|link|redis-\w+)\.ts$/;
/** Of the workers, what is pure. */
const WORKERS_PURE =
  /^server\/workers\/(memory-log|scanned-map|log-messages|log-peer|channel|messages|counts-\w+|inquiries|restart-pause|coalesced)\.ts$/;

interface SourceFile {
  readonly name: string;
  readonly layer: string;
  readonly text: string;
  readonly imports: readonly string[];
}

/** `core` and `server` have layers inside: folders, and files that stand alone. */
function layerOf(name: string): string {
  const [first, second] = name.split("/");
  if (ROOTS.test(name)) return "";
  if (PLAIN.test(name)) return "protocol/wire";
  return first === "core" || first === "server" ? `${first}/${second!.replace(/\.ts$/, "")}` : first!;
}

const files: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.tsx?$/.test(name) && !/(?:^|\/)dist\//.test(name) && !name.endsWith("vite.config.ts"))
  .map((name) => {
    const text = readFileSync(join(SRC, name), "utf8");
    const imports = [...text.matchAll(/(?:from |import |import\()"([^"]+)"/g)].map((match) => match[1]!);
    return { name, layer: layerOf(name), text, imports };
  });

it("every folder has its layer", () => {
  expect(files.length).toBeGreaterThan(40);
  const layers = new Set(files.map((file) => file.layer).filter((layer) => layer !== ""));
  expect([...layers].sort()).toEqual(Object.keys(LAYERS).sort());
});

it("imports go down only", () => {
  const wrong = files.flatMap(({ name, layer, imports }) =>
    imports
      .filter((target) => target.startsWith("."))
      .map((target) => relative(SRC, join(SRC, dirname(name), target)))
      .filter((target) => layer !== "" && layerOf(target) !== layer && !mayImport(layer, layerOf(target)))
      .map((target) => `${name} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

/** A layer that may import the schemas may also import the types that they check. */
function mayImport(layer: string, target: string): boolean {
  const allowed = LAYERS[layer]!;
  return allowed.includes(target) || (target === "protocol/wire" && allowed.includes("protocol"));
}

it("the SDK, and what it shares with the gateway, depend on no package", () => {
  const wrong = files
    .filter(({ layer }) => layer === "client" || layer === "protocol/wire")
    .flatMap(({ name, imports }) =>
      imports.filter((target) => !target.startsWith(".")).map((target) => `${name} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

it("the hooks have the client as applications have it", () => {
  const packages = files.filter(({ layer }) => layer === "react").flatMap(({ imports }) => imports);
  expect([...new Set(packages.filter((target) => !target.startsWith(".")))].sort()).toEqual([
    "@presence-gateway/client",
    "react",
  ]);
});

it("the pure core knows no clock, no timers, no process and nothing of Node", () => {
  const impure =
    /\bDate\b|\bperformance\b|\bset(Timeout|Interval|Immediate)\b|\bprocess\b|\bMath\.random\b|\bBuffer\b/;
  const wrong = files
    .filter(
      ({ name, layer }) =>
        PURE.includes(layer) ||
        (layer === "server/cluster" && !CLUSTER_EDGE.test(name)) ||
        WORKERS_PURE.test(name),
    )
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
    .filter(
      ({ layer }) =>
        !["", "server/transport", "server/internals", "server/observability", "cli"].includes(layer),
    )
    .flatMap(({ name, imports }) =>
      imports
        .filter((target) => target === "pino" || target === "ws")
        .map((target) => `${name} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

it("only gateways that use Redis load its client", () => {
  const wrong = files
    .filter(({ layer }) => layer !== "server/cluster")
    .flatMap(({ name, layer, text }) =>
      [...text.matchAll(/^import (?!type)[^;]*?"([^"]+)";/gm)]
        .map((match) => match[1]!)
        .filter((target) => /\/cluster\/|^@redis\//.test(target))
        // Workers need the contract of the log, and what checks it.
        .filter((target) => layer !== "server/workers" || /redis|\/cluster\.ts$/.test(target))
        .map((target) => `${name} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
}
