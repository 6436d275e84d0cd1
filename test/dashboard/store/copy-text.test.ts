import { afterEach, expect, it, vi } from "vitest";
import { copyText } from "../../../src/dashboard/store/copy-text.ts";

afterEach(() => vi.unstubAllGlobals());

it("copies, and says whether it worked", async () => {
  const writeText = vi.fn<(text: string) => Promise<void>>();
  vi.stubGlobal("navigator", { clipboard: { writeText } });
  expect(await copyText("a line")).toBe(true);
  expect(writeText).toHaveBeenCalledExactlyOnceWith("a line");
  writeText.mockRejectedValue(new Error("denied"));
  expect(await copyText("a line")).toBe(false);
  // A page without https has no clipboard.
  vi.stubGlobal("navigator", {});
  expect(await copyText("a line")).toBe(false);
});
