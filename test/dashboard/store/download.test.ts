import { afterEach, expect, it, vi } from "vitest";
import { download, fileName } from "../../../src/dashboard/store/download.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

it("the name of a file has a time that every system allows in names", () => {
  expect(fileName(new Date(Date.UTC(2026, 0, 31, 9, 5, 7)), "csv")).toBe("presence-2026-01-31-09-05-07.csv");
});

it("hands the text to the browser, and frees its memory later", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const link = { href: "", download: "", click: vi.fn() };
  vi.stubGlobal("document", { createElement: () => link });
  const make = vi.spyOn(URL, "createObjectURL");
  const free = vi.spyOn(URL, "revokeObjectURL");
  download("json", "application/json", "[]");
  const blob = make.mock.calls[0]![0] as Blob;
  expect([blob.type, await blob.text()]).toEqual(["application/json", "[]"]);
  expect(link.download).toMatch(/^presence-.*\.json$/);
  expect(link.click).toHaveBeenCalledTimes(1);
  expect(free).not.toHaveBeenCalled();
  vi.runAllTimers();
  expect(free).toHaveBeenCalledExactlyOnceWith(link.href);
});
