import { Command, CommanderError } from "commander";
import { describe, expect, test } from "vitest";
import { CliError } from "../../src/cli/cli-error.ts";
import { addFilterOptions, readFilter } from "../../src/cli/filter-options.ts";

function parse(...args: string[]) {
  return parseWith(false, ...args);
}

function parseWith(hasUserArguments: boolean, ...args: string[]) {
  const command = addFilterOptions(new Command(), hasUserArguments)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return readFilter(command.parse(args, { from: "user" }).opts());
}

describe("the filter", () => {
  test.each([
    [[], {}],
    [["--user", "alice", "bob"], { userIds: ["alice", "bob"] }],
    [["-u", "alice", "-u", "bob"], { userIds: ["alice", "bob"] }],
    [["--conversation", "c1"], { selectedConversationId: "c1" }],
    [["--no-conversation"], { selectedConversationId: null }],
    [["--focused", "--typing"], { hasFocus: true, isTyping: true }],
    [["--not-focused", "--not-typing"], { hasFocus: false, isTyping: false }],
    [["--background"], { includeBackgroundSessions: true }],
    [["--invisible"], { includeInvisible: true }],
    [["--status", "busy", "dnd"], { status: ["busy", "dnd"] }],
    [["--custom", "plan=gold", "team=a", "team=b"], { custom: { plan: ["gold"], team: ["a", "b"] } }],
    [["--custom", "__proto__=x"], { custom: JSON.parse('{"__proto__":["x"]}') }],
    [["--filter", '{"hasFocus":true,"userIds":["alice"]}'], { hasFocus: true, userIds: ["alice"] }],
  ])("of %j", async (args, filter) => {
    expect(await parse(...args)).toEqual(filter);
  });
});

test.each([
  [["--filter", "{"], "--filter must be JSON"],
  [["--filter", '{"userId":["alice"]}'], "the filter is not valid: "],
  [["--conversation", "a\nb"], "the filter is not valid: selectedConversationId: "],
])("%j is not a valid filter", async (args, message) => {
  const filter = parse(...args);
  await expect(filter).rejects.toThrow(CliError);
  await expect(filter).rejects.toThrow(message);
});

test.each([
  [["--focused", "--not-focused"]],
  [["--typing", "--not-typing"]],
  [["--filter", "{}", "--typing"]],
  [["--filter", "{}", "--status", "busy"]],
  [["--filter", "{}", "--custom", "a=b"]],
])("%j contradict each other", (args) => {
  expect(() => parse(...args)).toThrow(CommanderError);
});

test("arguments that name the users leave no option for them, and none for a status", async () => {
  expect(await parseWith(true, "--typing", "--custom", "a=b")).toEqual({
    isTyping: true,
    custom: { a: ["b"] },
  });
  expect(() => parseWith(true, "--user", "alice")).toThrow(CommanderError);
  expect(() => parseWith(true, "--status", "busy")).toThrow(CommanderError);
  expect(() => parseWith(true, "--filter", "{}", "--typing")).toThrow(CommanderError);
});
