import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import { bundle } from "../support/bundle.ts";
import { describePackage, InstalledProject } from "../support/package.ts";
import { GatewayProcess, PROJECT } from "../support/process.ts";
import { ServedPage } from "../support/serve-page.ts";

/** The code blocks of a language in a file of the package. */
function blocks(path: string, language: string): string[] {
  const text = readFileSync(join(PROJECT, path), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((match) => match[1]!);
}

const README = "README.md";
const SDK_README = "src/client/README.md";
const [PAGE] = blocks(README, "ts");
const [REACT_PAGE, REACT_HEADER] = blocks("src/react/README.md", "tsx");
const SDK_BLOCKS = blocks(SDK_README, "ts");
const [PROGRAM] = SDK_BLOCKS;
const STATUS = SDK_BLOCKS.find((block) => block.includes("setStatus"))!;
const TOKEN = blocks(README, "js").find((block) => block.includes("SignJWT"))!;
const APPS = /APPS='(.*?)' npm start/.exec(readFileSync(join(PROJECT, README), "utf8"))![1]!;

/** The options of a front end: no types of Node, and all type files checked but those of TypeScript. */
const PAGE_OPTIONS = {
  target: "es2022",
  lib: ["es2022", "dom", "dom.iterable"],
  jsx: "react-jsx",
  types: [],
  strict: true,
  skipLibCheck: false,
  skipDefaultLibCheck: true,
  noEmit: true,
};
const CONFIGS = {
  "a page, for a bundler": {
    folder: "page",
    options: { ...PAGE_OPTIONS, module: "esnext", moduleResolution: "bundler" },
  },
  "a page, as Node resolves, with every check": {
    folder: "page",
    options: {
      ...PAGE_OPTIONS,
      module: "nodenext",
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      verbatimModuleSyntax: true,
    },
  },
  "a program in Node": {
    folder: "program",
    options: { ...PAGE_OPTIONS, lib: ["es2022"], types: ["node"], module: "nodenext" },
  },
};

/** Adds declarations of the names that a block uses without declaring them. */
function withDeclarations(block: string): string {
  const isMissing = (name: string) =>
    new RegExp(`\\b${name}\\b`).test(block) && !new RegExp(`\\b(?:const|import \\{) ${name}\\b`).test(block);
  return [
    isMissing("presence") && 'declare const presence: import("@presence-gateway/client").PresenceClient;',
    isMissing("token") && "declare const token: string;",
    block,
    "export {};",
  ]
    .filter(Boolean)
    .join("\n");
}

describePackage("an application that installs the package", () => {
  const project = new InstalledProject();
  let whyNot: string | undefined;

  beforeAll(async () => {
    whyNot = await project.install([
      "presence-gateway",
      "@presence-gateway/client",
      "@presence-gateway/react",
    ]);
    if (whyNot !== undefined) process.stdout.write(`not tested, the package as it is installed: ${whyNot}\n`);
    project.lend(["react", "react-dom", "@types/react", "@types/react-dom", "typescript"]);
    // Only the folder `program` finds the types of Node.
    project.lend(["@types/node", "@types/ws"], "program");
  });
  afterAll(() => project.remove());
  beforeEach(({ skip }) => skip(whyNot !== undefined, whyNot));

  it("can run its command", async () => {
    const { code, output } = await project.run("npx", ["--no-install", "presence-gateway", "--help"]);
    expect(code, output).toBe(0);
    expect(output).toMatch(/^Usage: presence-gateway/);
  });

  describe("type-checks the examples for", () => {
    beforeAll(() => {
      if (whyNot !== undefined) return;
      expect([PAGE, REACT_PAGE, ...SDK_BLOCKS].filter(Boolean).length).toBeGreaterThanOrEqual(5);
      project.write("page/readme.ts", PAGE!);
      project.write("page/readme-react.tsx", REACT_PAGE!);
      project.write("page/readme-header.tsx", REACT_HEADER!);
      for (const language of ["ts", "tsx"]) {
        for (const [index, block] of blocks(SDK_README, language).entries()) {
          const name = `sdk-${index + 1}.${language}`;
          const text = withDeclarations(block);
          if (block !== PROGRAM) project.write(`page/${name}`, text);
          if (language === "ts") project.write(`program/${name}`, text);
        }
      }
    });

    for (const [name, { folder, options }] of Object.entries(CONFIGS)) {
      it(name, async () => {
        const config = { compilerOptions: options, include: ["*.ts", "*.tsx"] };
        const path = project.write(`${folder}/tsconfig.json`, JSON.stringify(config));
        const tsc = ["node_modules/typescript/bin/tsc", "-p", path, "--pretty", "false", "--listFiles"];
        const { code, output } = await project.run(process.execPath, tsc);
        expect(code, output.replaceAll(/^\/.*\n/gm, "")).toBe(0);
        expect(output).toContain(
          join(project.folder, "node_modules/@presence-gateway/client/dist/esm/client/index.d.ts"),
        );
        expect(output.includes("@types/node/")).toBe(folder === "program");
      });
    }
  });

  describe("and runs it", () => {
    let gateway: GatewayProcess;
    let port: number;
    const local = (text: string) => text.replaceAll(":8080", `:${port}`);
    const tokens = new Map<string, string>();
    const sites: ServedPage[] = [];

    beforeAll(async () => {
      if (whyNot !== undefined) return;
      gateway = new GatewayProcess({ APPS, HOST: "127.0.0.1" }, [], project.program);
      port = await gateway.port();
      for (const user of ["alice", "bob"]) {
        const script = project.write("token.mjs", `${TOKEN.replace("alice", user)}\nconsole.log(token);\n`);
        const { stdout } = await project.run(process.execPath, [script]);
        tokens.set(user, stdout.trim());
      }
    });
    afterAll(async () => {
      await Promise.all(sites.map((site) => site.stop()));
      expect(await gateway?.stop()).toBe(whyNot === undefined ? 0 : undefined);
    });

    it("shows in Node which users are online", async () => {
      const script = project.write(
        "program.mjs",
        `const token = ${JSON.stringify(tokens.get("alice"))};
${local(PROGRAM!)}
presence.open({ kind: "widget", selectedConversationId: "c1" });
const filter = { selectedConversationId: "c1" };
await new Promise((resolve) => presence.subscribe(filter, (users) => users.has("alice") && resolve()));
console.log([...(await presence.query({ userIds: ["alice"] })).keys()]);
await presence.close();
`,
      );
      const { code, output } = await project.run(process.execPath, [script]);
      expect(output).toBe("[ 'alice' ]\n");
      expect(code).toBe(0);
    });

    it("declares a status and counts, in Node", async () => {
      const script = project.write(
        "status.mjs",
        `const token = ${JSON.stringify(tokens.get("alice"))};
${local(PROGRAM!)}
${STATUS}
while (here.count !== 1) await new Promise((resolve) => setTimeout(resolve, 10));
console.log([...(await presence.query({ userIds: ["alice"], fields: [] })).values()]);
await presence.close();
`,
      );
      const { code, output } = await project.run(process.execPath, [script]);
      expect(output).toContain("[ { status: 'busy', statusText: 'in a call', statusEmoji: '📞' } ]");
      expect(code).toBe(0);
    });

    describeInBrowser("in pages", (browser) => {
      /** Opens a page of the application for a user. */
      const open = async (user: string, entry: string, body: string) => {
        const script = await bundle(entry, { root: project.folder, minify: true });
        const site = new ServedPage(script, { body });
        await site.listen();
        sites.push(site);
        const context = await browser.newContext();
        await context.route("**/presence-token", (route) => route.fulfill({ body: tokens.get(user)! }));
        return await browser.open(site.url, context);
      };

      it("shows who is typing and who has stopped, with and without React", async () => {
        project.write("page/run-react.tsx", local(REACT_PAGE!));
        const reactEntry = project.write(
          "page/main.tsx",
          `import { createRoot } from "react-dom/client";
import { App } from "./run-react";
const token = async () => await (await fetch("/presence-token")).text();
createRoot(document.querySelector("main")!).render(<App me="bob" token={token} />);
`,
        );
        const plainEntry = project.write("page/run.ts", local(PAGE!));
        const alice = await open("alice", plainEntry, '<label>message <input></label><p id="typing"></p>');
        const bob = await open("bob", reactEntry, "<main></main>");
        const aliceSees = async () => await alice.textContent("p");
        const bobSees = async () => (await bob.textContent("label"))!.trim();

        await bob.getByRole("textbox").pressSequentially("hi");
        await expect.poll(aliceSees).toBe("bob is typing");
        await alice.getByRole("textbox").pressSequentially("hello");
        // Each sees the other, and not themselves.
        await expect.poll(bobSees).toBe("alice is typing");
        await expect.poll(aliceSees).not.toMatch("alice");
        await expect.poll(bobSees).toBe("");
        await expect.poll(aliceSees).toBe("");
      });
    });
  });
});
