import { AsciiIds } from "../../src/core/sessions/ascii-ids.ts";

/** Ids of ASCII as bytes, as they stand in a list in JSON. */
export function asciiIds(ids: readonly string[]): AsciiIds {
  const starts = new Int32Array(ids.length);
  const ends = new Int32Array(ids.length);
  let text = "[";
  for (const [i, id] of ids.entries()) {
    text += i === 0 ? '"' : ',"';
    starts[i] = text.length;
    text += id;
    ends[i] = text.length;
    text += '"';
  }
  return new AsciiIds(Buffer.from(`${text}]}`), starts, ends, ids.length);
}
