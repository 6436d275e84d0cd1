import { Command } from "commander";
import { expect, test } from "vitest";
import { addFilterQuestion } from "../../src/cli/filter-question.ts";

test("a question about a filter has its options, --json, and the exit codes before the examples", () => {
  const command = new Command("ask");
  addFilterQuestion(command, "  $ ask --typing");
  let help = "";
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  for (const option of ["--typing", "--json", "--url"]) expect(help).toContain(option);
  expect(help).toContain("Exit codes: 0 somebody matches, 1 nobody does, 2 it could not be asked.");
  expect(help.trimEnd().endsWith("Examples:\n  $ ask --typing")).toBe(true);
});
