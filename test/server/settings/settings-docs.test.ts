import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { settingsHelp, settingsMarkdown } from "../../../src/server/settings/settings-docs.ts";
import { SETTINGS } from "../../../src/server/settings/settings-table.ts";

describe("the table of settings", () => {
  it("is what the README says", () => {
    const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
    const table = settingsMarkdown();
    expect(
      readme.includes(table),
      `README.md has another table of settings. Paste this one:\n\n${table}\n`,
    ).toBe(true);
  });

  it("is what serve --help says, without Markdown", () => {
    const help = settingsHelp();
    expect(help.flatMap(({ names }) => names)).toEqual(Object.values(SETTINGS).flatMap(({ env }) => env));
    expect(help).toContainEqual({
      names: ["NODE_ID"],
      default: "random",
      text: "the nodeId that clients are told; unique among nodes",
    });
    expect(help).toContainEqual({ names: ["PORT"], default: "8080", text: "0: any free port" });
    expect(help.find(({ names }) => names[0] === "METRICS_TOKEN")?.default).toBeUndefined();
    expect(JSON.stringify(help)).not.toContain("`");
  });
});
