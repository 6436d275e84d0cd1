import { execFileSync } from "node:child_process";
import { expect, it, vi } from "vitest";
import { openFileLimit } from "../../../src/server/internals/open-file-limit.ts";
import { NOT_ON_UNIX, unless } from "../../support/unless.ts";

unless(NOT_ON_UNIX, it)("Node's report still has the limit of open files", () => {
  const [limit] = execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).trim().split("\n");
  const expected = limit === "unlimited" ? undefined : Number(limit);
  expect(openFileLimit(), "process.report no longer has userLimits.open_files.soft").toBe(expected);
});

it("asks for a report once: each takes 10 ms of the event loop", ({ onTestFinished }) => {
  const first = openFileLimit();
  const getReport = vi.spyOn(process.report!, "getReport");
  onTestFinished(() => getReport.mockRestore());
  expect(openFileLimit()).toBe(first);
  expect(getReport).not.toHaveBeenCalled();
});
