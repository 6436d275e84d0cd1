import { Command } from "commander";
import { expect, test } from "vitest";
import { addCommandGroup } from "../../src/cli/command-group.ts";

test("a group has its texts, and a help command of its own", () => {
  const program = new Command("program");
  const group = addCommandGroup(program, "cat", { summary: "short", description: "long", after: "\nlast" });
  group.command("feed");
  let help = "";
  group.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  expect(help).toContain("long");
  expect(help).toContain("feed");
  expect(help).toContain("help [command]");
  expect(help.trimEnd().endsWith("last")).toBe(true);
  expect(program.helpInformation()).toContain("short");
});
