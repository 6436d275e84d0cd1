import { expect, it } from "vitest";
import { Frame } from "../../../src/server/gateway/frame.ts";

it("has the length of its text in UTF-8, encoded or not", () => {
  for (const text of ["", "abc", "é€👩‍🚀"]) {
    const length = Buffer.byteLength(text);
    expect([new Frame(text).byteLength, new Frame(text).encodeBytes().byteLength]).toEqual([length, length]);
  }
});

it("is encoded once, and only on demand", () => {
  const frame = new Frame("é");
  expect(frame.payload).toBe("é");
  const { bytes } = frame.encodeBytes();
  expect(bytes.toString()).toBe("é");
  expect([frame.bytes, frame.payload, frame.encodeBytes().bytes].every((each) => each === bytes)).toBe(true);
});

it("is one event for all readers of a stream", () => {
  const frame = new Frame("{}");
  const event = frame.asEvent("diff", "view:2");
  expect(event.text).toBe("event: diff\nid: view:2\ndata: {}\n\n");
  expect(frame.asEvent("diff", "view:2")).toBe(event);
});
