import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describePackage, InstalledProject, type Packed, pack, temporaryFolder } from "../support/package.ts";

/** Prints what an application imports from the client, whether by `import` or `require`. */
const REPORT = `
  const names = Object.keys(sdk).filter((name) => name !== "default" && name !== "module.exports").sort();
  const client = sdk.createClient({ url: "/presence", appId: "a", token: "t" });
  console.log(names.join(), client.status(), new sdk.PresenceError("TOKEN", "x").name);
`;
const REPORTED =
  "PresenceError,createClient,lastSeen,normalFilter,others,setStatus,subscribeCount,trackIdle idle PresenceError\n";

/** Loads modules as Jest does: each in its own function, in a context other than that of Node. */
const inContext = (globals: string, prepare = "") => `
  const { readFileSync } = require("node:fs");
  const { createRequire } = require("node:module");
  const { createContext, compileFunction, runInContext } = require("node:vm");
  const context = createContext({ ${globals} });
  runInContext(${JSON.stringify(prepare)}, context);
  const known = new Map();
  function load(path) {
    if (known.has(path)) return known.get(path).exports;
    const module = { exports: {} };
    known.set(path, module);
    const { resolve } = createRequire(path);
    const parameters = ["module", "exports", "require"];
    const options = { filename: path, parsingContext: context };
    const run = compileFunction(readFileSync(path, "utf8"), parameters, options);
    run.call(module.exports, module, module.exports, (name) => load(resolve(name)));
    return module.exports;
  }
  const sdk = load(require.resolve("@presence-gateway/client"));
`;
const LIKE_JEST = inContext("console, setTimeout, clearTimeout, performance, queueMicrotask, URL");

/** React Native has no page and no whole `URL`, and its engine lacks some methods. */
const LIKE_REACT_NATIVE = `${inContext(
  "console, setTimeout, clearTimeout, performance, queueMicrotask",
  `delete String.prototype.isWellFormed;
  globalThis.URL = class { get host() { throw new Error("not implemented"); } };
  globalThis.window = globalThis;`,
)}
  class WebSocket {
    sent = [];
    constructor(url) { this.url = url; }
    send(text) { this.sent.push(JSON.parse(text).type); }
    close(code) { setTimeout(() => this.onclose({ code, reason: "" })); }
  }
  let socket;
  class Noted extends WebSocket { constructor(url) { super(url); socket = this; } }
  const presence = sdk.createClient({ url: "http://gateway/base/", appId: "a", token: () => "t", WebSocket: Noted });
  const session = presence.open({ kind: "widget", trackFocus: true });
  setTimeout(() => {
    socket.onopen();
    socket.onmessage({ data: '{"type":"connected","nodeId":"n","heartbeatMs":16000,"resumeWindowMs":15000}' });
    socket.onmessage({ data: '{"type":"opened","id":1,"sessionId":"s","resumed":false}' });
    console.log(socket.url, socket.sent.join(), session.state);
    session.set({ hasFocus: true, selectedConversationId: "c1" });
    presence.close();
  });
`;

const CREATE = `
  delete globalThis.WebSocket;
  const options = { url: "/presence", appId: "a", token: "t" };
  function Page() {
    const { users, state } = hooks.usePresence({ isTyping: true });
    hooks.useSession({ kind: "widget" });
    return createElement("p", {}, [users.size, state, hooks.useStatus()].join());
  }
  console.log(renderToString(createElement(hooks.PresenceProvider, options, createElement(Page))));
`;
const RENDERED = "<p>0,pending,idle</p>\n";

/** Source text that is valid both as an ES module and as CommonJS. */
const TYPED = `import { createClient, type PresenceClient, PresenceError } from "@presence-gateway/client";
import { PresenceProvider, usePresence } from "@presence-gateway/react";

export const presence: PresenceClient = createClient({ url: "http://127.0.0.1:8080", appId: "a", token: "t" });
export const provider: typeof PresenceProvider = PresenceProvider;
export const typing = () => [...usePresence({ isTyping: true }).users.keys()];
export const isFinal = (error: unknown) => error instanceof PresenceError && error.code === "CLOSED";
// @ts-expect-error there is no such filter
presence.subscribe({ typing: true }, () => {});
`;
const OPTIONS = {
  target: "es2022",
  lib: ["es2022", "dom", "dom.iterable"],
  types: [],
  strict: true,
  skipLibCheck: false,
  skipDefaultLibCheck: true,
  noEmit: true,
};
/** Compiler options, the kind of module, and the folder from which the types must come. */
const COMPILED = {
  "an ES module, for Node": { module: "nodenext", type: "module", folder: "esm" },
  "CommonJS, for Node": { module: "nodenext", type: "commonjs", folder: "cjs" },
  "CommonJS, for a Node that can't require ES modules": { module: "node16", type: "commonjs", folder: "cjs" },
  "an ES module, for a bundler": {
    module: "esnext",
    moduleResolution: "bundler",
    type: "module",
    folder: "esm",
  },
} as const;

let tarballs: string;
let client: Packed;
let react: Packed;

beforeAll(async () => {
  if (process.env.PACKAGE_TESTS === "off") return;
  tarballs = temporaryFolder();
  [client, react] = (await pack(tarballs, ["@presence-gateway/client", "@presence-gateway/react"])) as [
    Packed,
    Packed,
  ];
});
afterAll(() => tarballs && rmSync(tarballs, { recursive: true }));

describePackage("an application that installs the client", () => {
  const project = new InstalledProject();
  const report = async (name: string, text: string) => {
    const path = project.write(name, text);
    const { stdout, output } = await project.run(process.execPath, [path]);
    expect(stdout, output).not.toBe("");
    return stdout;
  };

  beforeAll(async () => {
    // The client has no dependencies, so the installation needs no registry.
    expect(await project.installPacked([client])).toBeUndefined();
  });
  afterAll(() => project.remove());

  it("gets exactly one more folder", () => {
    const folders = (path: string) =>
      readdirSync(join(project.folder, path)).filter((name) => !name.startsWith("."));
    expect(folders("node_modules")).toEqual(["@presence-gateway"]);
    expect(folders("node_modules/@presence-gateway")).toEqual(["client"]);
    expect(folders("node_modules/@presence-gateway/client")).not.toContain("node_modules");
  });

  it("can import the client", async () => {
    const text = `import * as sdk from "@presence-gateway/client";${REPORT}`;
    expect(await report("imports.mjs", text)).toBe(REPORTED);
  });

  it("can require the client", async () => {
    const text = `const sdk = require("@presence-gateway/client");${REPORT}`;
    expect(await report("requires.cjs", text)).toBe(REPORTED);
  });

  it("can load the client as React Native does", async () => {
    const told = await report("like-react-native.cjs", LIKE_REACT_NATIVE);
    expect(told).toBe("ws://gateway/base/v1/a/realtime connect,open open\n");
  });

  it("can load the client as Jest loads modules", async () => {
    expect(await report("like-jest.cjs", LIKE_JEST + REPORT)).toBe(REPORTED);
  });
});

describePackage("an application that installs the hooks", () => {
  const project = new InstalledProject();

  beforeAll(async () => {
    expect(await project.installPacked([client, react])).toBeUndefined();
    project.lend(["react", "react-dom", "@types/react", "typescript"]);
  });
  afterAll(() => project.remove());

  it.each([
    [
      "imports",
      "renders.mjs",
      `import * as hooks from "@presence-gateway/react";
      import { createElement } from "react";
      import { renderToString } from "react-dom/server";`,
    ],
    [
      "requires",
      "renders.cjs",
      `const hooks = require("@presence-gateway/react");
      const { createElement } = require("react");
      const { renderToString } = require("react-dom/server");`,
    ],
  ])("%s them and renders on a server", async (_how, name, imports) => {
    const path = project.write(name, imports + CREATE);
    const { stdout, output } = await project.run(process.execPath, [path]);
    expect(stdout, output).toBe(RENDERED);
  });

  it("imports them in a server component, whose React has no hooks", async () => {
    const path = project.write(
      "server-component.mjs",
      `import * as hooks from "@presence-gateway/react";
      import { createClient } from "@presence-gateway/client";
      console.log(Object.keys(hooks).length > 4, typeof createClient);`,
    );
    const run = [process.execPath, ["--conditions", "react-server", path]] as const;
    const { stdout, output } = await project.run(...run);
    expect(stdout, output).toBe("true function\n");
  });

  it.each(["esm", "cjs"])('has "use client" in front of each module of hooks, as %s', (format) => {
    const folder = join(project.folder, "node_modules/@presence-gateway/react/dist", format);
    const modules = readdirSync(folder).filter((name) => name.endsWith(".js"));
    expect(modules).toContain("provider.js");
    // Directives only count in front of everything else.
    for (const name of modules)
      expect(readFileSync(join(folder, name), "utf8")).toMatch(/^(?:"use strict";\n)?"use client";\n/);
  });

  describe("type-checks as", () => {
    it.each(Object.entries(COMPILED))("%s", async (name, { type, folder, ...options }) => {
      const place = name.replaceAll(/\W+/g, "-");
      project.write(`${place}/package.json`, JSON.stringify({ type }));
      project.write(`${place}/app.ts`, TYPED);
      const config = { compilerOptions: { ...OPTIONS, ...options }, include: ["*.ts"] };
      const path = project.write(`${place}/tsconfig.json`, JSON.stringify(config));
      const tsc = ["node_modules/typescript/bin/tsc", "-p", path, "--pretty", "false", "--listFiles"];
      const { code, output } = await project.run(process.execPath, tsc);
      expect(code, output.replaceAll(/^\/.*\n/gm, "")).toBe(0);
      for (const module of ["client/dist/%/client/index.d.ts", "react/dist/%/index.d.ts"])
        expect(output).toContain(`/node_modules/@presence-gateway/${module.replace("%", folder)}`);
    });
  });
});
