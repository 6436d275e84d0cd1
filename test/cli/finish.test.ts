import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { endWithReader, finish } from "../../src/cli/finish.ts";

const exit = vi.fn<(code: number) => void>();
let written: (() => void)[];

beforeEach(() => {
  written = [];
  vi.spyOn(process, "exit").mockImplementation(exit as unknown as typeof process.exit);
  vi.spyOn(process.stdout, "write").mockImplementation(((_text: string, onWritten: () => void) => {
    written.push(onWritten);
    return false;
  }) as typeof process.stdout.write);
});
afterEach(() => {
  vi.restoreAllMocks();
  exit.mockReset();
});

test("the process ends after its output is written", () => {
  void finish(1);
  expect(exit).not.toHaveBeenCalled();
  for (const onWritten of written) onWritten();
  expect(exit).toHaveBeenCalledExactlyOnceWith(1);
});

test.each([
  ["EPIPE", 0],
  ["ENOSPC", 2],
])("an output that fails with %s ends the process with %d", (code, exitCode) => {
  const before = process.stdout.listeners("error");
  endWithReader();
  const added = process.stdout.listeners("error").filter((listener) => !before.includes(listener));
  for (const listener of added) {
    process.stdout.removeListener("error", listener as () => void);
    listener(Object.assign(new Error("write failed"), { code }));
  }
  expect(exit).toHaveBeenCalledExactlyOnceWith(exitCode);
});
