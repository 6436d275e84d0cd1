import { expect, it } from "vitest";
import { parsePosition } from "../../../src/server/gateway/event-stream.ts";

it("reads the position that a reader of a stream sends back", () => {
  expect(parsePosition("view_-1:42")).toEqual({ view: "view_-1", version: 42 });
});

it.each([
  undefined,
  "",
  "view",
  "view:",
  ":1",
  "view:-1",
  "view:1.5",
  "view:1 ",
  "a:b:1",
  `view:${"9".repeat(16)}`,
])("takes %j for no position", (text) => expect(parsePosition(text)).toBeUndefined());
