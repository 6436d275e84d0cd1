import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { unless } from "../support/unless.ts";

const TEST = fileURLToPath(new URL("..", import.meta.url));
/** Each says why in the output of the run. */
const ALLOWED = ["support/unless.ts", "support/browser.ts", "support/package.ts"];
const THIS = "structure/skipped-tests.test.ts";

/** How Vitest leaves a test out, but for `skip` of the context of a test, which takes a reason. */
const LEAVES_OUT = /\b(?:it|test|describe)(?:\.\w+)*\.(?:skip|skipIf|runIf|todo|only)\b/;

it("a test that is left out says why: only `unless` leaves tests out", () => {
  const files = readdirSync(TEST, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.tsx?$/.test(name),
  );
  expect(files.length).toBeGreaterThan(400);
  const silent = files.filter((name) => LEAVES_OUT.test(readFileSync(`${TEST}/${name}`, "utf8")));
  expect(silent.filter((name) => name !== THIS && !ALLOWED.includes(name))).toEqual([]);
});

it.for([
  ["it.skip(", "a test"],
  ["describe.concurrent.skipIf(", "a suite"],
  ["test.only(", "all others"],
])("`%s` would leave out %s", ([text]) => expect(LEAVES_OUT.test(text!)).toBe(true));

describe("`unless`", () => {
  /** Registers nothing, and keeps the names. */
  function fakeApi() {
    const names: string[] = [];
    const register = (name: string) => void names.push(name);
    const each = (cases: readonly unknown[]) => (name: string) =>
      void names.push(...cases.map((value) => `${name} ${value}`));
    return { names, api: { skip: Object.assign(register, { each }) } as unknown as typeof it };
  }

  it("has the reason in the name of what it leaves out, and prints it", ({ onTestFinished }) => {
    const { names, api } = fakeApi();
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    onTestFinished(() => write.mockRestore());
    const left = unless("no moon", api);
    left("howls", () => {});
    left.each([1, 2])("howls at", () => {});
    left.each([])("howls at %s", () => {});
    expect(names).toEqual([
      "howls (not tested: no moon)",
      "howls at (not tested: no moon) 1",
      "howls at (not tested: no moon) 2",
      "howls at %s (not tested: no moon)",
    ]);
    expect(write.mock.calls[0]).toEqual(["not tested: howls (no moon)\n"]);
    expect(write).toHaveBeenCalledTimes(3);
  });

  it("does nothing without a reason", () => expect(unless(undefined, it)).toBe(it));
});
