import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { blocksOf } from "../structure/documents.ts";
import { TestGateway } from "../support/gateway.ts";
import { PROJECT } from "../support/process.ts";
import { whyNoTool } from "../support/tools.ts";
import { unless } from "../support/unless.ts";
import { PATIENCE_MS } from "../support/until.ts";

const [block] = blocksOf("examples/README.md");
const [, APP_ID, APP_SECRET] = /APP_ID=(\S+) APP_SECRET='(.*?)'/.exec(block!.text)!;

unless(whyNoTool("python3") ?? whyNoTool("curl"), it)(
  "the lines of examples/README.md show an agent twice, and say whom to notify",
  async () => {
    const gateway = await TestGateway.start("ws", {
      apps: [{ id: APP_ID!, secrets: [APP_SECRET!] }],
      env: { DIFF_INTERVAL_MS: "0" },
    });
    const watcher = await gateway.socket({ appId: APP_ID! });
    watcher.send({
      type: "connect",
      token: await gateway.token({ tokenType: "app" }, undefined, APP_ID, APP_SECRET),
    });
    await watcher.subscribe({ isTyping: true, fields: [] });
    const script = block!.text.replace(":8080", `:${gateway.gateway.port}`);
    const { stdout, stderr } = await promisify(execFile)("sh", ["-ec", script], {
      cwd: PROJECT,
      env: { ...process.env, PATIENCE_MS: String(PATIENCE_MS) },
    });
    expect({ stdout, stderr }).toEqual({ stdout: "alice\nbob\n", stderr: "" });
    await watcher.settled();
    const diffs = watcher.inbox.filter(({ type }) => type === "diff");
    const typing = { assistant: { status: "online" } };
    expect(diffs.map(({ data }) => data)).toEqual([typing, { assistant: null }, typing, { assistant: null }]);
    await gateway.stop();
  },
);
