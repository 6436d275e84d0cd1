import { describe, expect, it } from "vitest";
import { Frame } from "../../../../src/server/gateway/frame.ts";
import { writeChunks } from "../../../../src/server/transport/uws/uws-chunks.ts";
import type { UwsResponse } from "../../../../src/server/transport/uws/uws-types.ts";

/** What the library can collect in a cork. The head of a response, of 4 KiB at most, is in the first one. */
const CORK_BYTES = 16 * 1024;
const HEAD_BYTES = 4 * 1024;

/** What each cork has got, as the library puts it into its buffer. */
function corksOf(frames: readonly Frame[], isFree: (nth: number) => boolean = () => true) {
  const corks: Buffer[][] = [];
  let current: Buffer[] | undefined;
  let count = 0;
  const response: Partial<Record<keyof UwsResponse, unknown>> = {
    cork(write: () => void) {
      expect(current).toBeUndefined();
      current = [];
      corks.push(current);
      write();
      current = undefined;
    },
    write(chunk: string | Uint8Array) {
      const bytes = Buffer.from(chunk as string);
      expect(bytes.length).toBeGreaterThan(0);
      current!.push(bytes);
      return isFree(count++);
    },
  };
  const isOut = writeChunks(response as unknown as UwsResponse, frames);
  return { isOut, corks };
}

const sizeOf = (chunks: readonly Buffer[]) =>
  chunks.reduce((sum, { length }) => sum + `\r\n${length.toString(16)}\r\n`.length + length, 0);

describe("chunks", () => {
  it("of short frames go into one cork", () => {
    const { corks, isOut } = corksOf([new Frame("a"), new Frame("é".repeat(3_000)), new Frame("c")]);
    expect(corks.map((chunks) => chunks.map(String))).toEqual([["a", "é".repeat(3_000), "c"]]);
    expect(isOut).toBe(true);
  });

  it("fit into their cork, whatever the frames, and together are the frames", () => {
    const edge = 12 * 1024;
    const sizes = [1, 5_000, edge - 13, edge - 12, edge - 11, edge, 2 * edge - 24, 100_000, 7, 6_000, 6_300];
    for (const [i] of sizes.entries()) {
      const frames = [...sizes.slice(i), ...sizes.slice(0, i)].map((size, nth) =>
        nth % 2 === 0 ? new Frame("€".repeat(size)) : new Frame("x".repeat(size)).encodeBytes(),
      );
      const { corks } = corksOf(frames);
      for (const chunks of corks) expect(sizeOf(chunks)).toBeLessThanOrEqual(CORK_BYTES - HEAD_BYTES);
      expect(Buffer.concat(corks.flat()).equals(Buffer.concat(frames.map(({ bytes }) => bytes)))).toBe(true);
    }
  });

  it("are all written, though bytes wait, and what the last one says counts", () => {
    const frames = [new Frame("x".repeat(50_000)), new Frame("y")];
    expect(corksOf(frames, (nth) => nth !== 1).isOut).toBe(true);
    expect(corksOf(frames, (nth) => nth !== 5).isOut).toBe(false);
    expect(corksOf(frames, () => false).corks.flat()).toHaveLength(6);
  });
});
