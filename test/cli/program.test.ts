import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { createProgram } from "../../src/cli/program.ts";

const program = createProgram({
  version: "0",
  settings: [],
  serve: async () => {},
  readDevCredentials: async () => undefined,
});

function all(command: Command): Command[] {
  return [command, ...command.commands.flatMap(all)];
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

const commands = all(program);
const helps = commands.map((command) => [command.name(), helpOf(command)] as const);
const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

/** The words of each example, up to a comment, a shell operator or another column of text. */
function examplesIn(text: string): string[][] {
  return [...text.matchAll(/(?:npx presence-gateway|node dist\/main\.js)((?: [^\s`#|>&;)]+)*)/g)].map(
    (match) => match[1]!.trim().split(" "),
  );
}

test.each([...helps, ["README.md", readme] as const])(
  "every example of %s is a command with existing options",
  (_name, text) => {
    for (const words of examplesIn(text)) {
      let command = program;
      while (command.commands.some((each) => each.name() === words[0])) {
        const name = words.shift();
        command = command.commands.find((each) => each.name() === name)!;
      }
      // An example without a subcommand is complete, or requests help.
      if (command.commands.length > 0) expect(["", undefined, "help", "--help"]).toContain(words[0]);
      const flags = ["--help", ...command.options.flatMap(({ short, long }) => [short, long])];
      for (const word of words) if (word.startsWith("-")) expect(flags, words.join(" ")).toContain(word);
    }
  },
);

test("every command has an example and exit codes, and no option twice", () => {
  for (const [name, text] of helps) {
    if (name === "help") continue;
    expect(text, name).toContain("$ ");
    if (!["token", "user", "app"].includes(name)) expect(text, name).toContain("Exit codes:");
  }
  for (const command of commands) {
    const flags = command.options.flatMap(({ short, long }) => [short, long]).filter(Boolean);
    expect(new Set(flags).size, command.name()).toBe(flags.length);
  }
});

test("every line of help has at most 140 columns", () => {
  for (const [name, text] of helps) {
    for (const line of text.split("\n")) expect(line.length, `${name}: ${line}`).toBeLessThanOrEqual(140);
  }
});
