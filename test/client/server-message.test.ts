import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readMessage } from "../../src/client/server-message.ts";
import { MAX_SERVER_MESSAGE_BYTES } from "../../src/protocol/rules.ts";
import { someone } from "../support/sdk.ts";

describe("a message from the gateway", () => {
  /** Of so many characters. */
  const message = (length: number) => {
    const text = JSON.stringify({ type: "error", code: "LIMIT_REACHED", message: "" });
    return text.replace('"message":""', `"message":"${"x".repeat(length - text.length)}"`);
  };

  it("is taken up to the bound that the gateway keeps, and none that is larger", () => {
    // The protocol says so too, and clients by other hands go by that.
    const protocol = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
    expect(protocol).toContain(`at most ${MAX_SERVER_MESSAGE_BYTES.toLocaleString("en")} bytes`);
    expect(MAX_SERVER_MESSAGE_BYTES).toBe(1024 * 1024);
    expect(readMessage(message(MAX_SERVER_MESSAGE_BYTES))).toMatchObject({ type: "error" });
    expect(() => readMessage(message(MAX_SERVER_MESSAGE_BYTES + 1))).toThrow("bad JSON");
  });
});

describe("a message of the gateway", () => {
  const session = someone().widgets[0]!;
  const valid: Record<string, unknown>[] = [
    { type: "connected", userId: "a", nodeId: "n", heartbeatMs: 1, resumeWindowMs: 1 },
    { type: "opened", id: 1, sessionId: "s", resumed: true },
    { type: "closed", sessionId: "s", cause: "kicked" },
    { type: "snapshot", id: 1, view: "v", version: 1, data: { a: someone() }, more: true },
    { type: "resumed", id: 1, view: "v", version: 1 },
    { type: "diff", view: "v", version: 1, data: { a: someone(), b: null }, causes: { b: "closed" } },
    { type: "result", id: 1, data: { a: someone() } },
    { type: "draining", reconnectInMs: 1 },
    { type: "error", id: 1, code: "FORBIDDEN", message: "", view: "v" },
    { type: "connected", userId: null, nodeId: "n", heartbeatMs: 1, resumeWindowMs: 1, tableId: "t" },
  ];

  it("is read as it is", () => {
    for (const message of valid) expect(readMessage(JSON.stringify(message))).toEqual(message);
  });

  it.each([
    ["no JSON", "{"],
    ["nothing", ""],
    ["no object", "[]"],
    ["null", "null"],
    ["binary", new ArrayBuffer(2)],
    ["too long", `"${"x".repeat(17 * 1024 * 1024)}"`],
    ["infinite", '{"type":"draining","reconnectInMs":1e400}'],
    ["negative", '{"type":"draining","reconnectInMs":-1}'],
    ["a fraction", '{"type":"draining","reconnectInMs":0.5}'],
    ["no version", JSON.stringify({ ...valid[3], version: 2 ** 53 })],
    [
      "no session",
      JSON.stringify({
        ...valid[6],
        data: { a: { ...someone(), widgets: [{ ...session, custom: { a: 1 } }] } },
      }),
    ],
    ["nobody", JSON.stringify({ ...valid[6], data: { ["x".repeat(256)]: someone() } })],
    ["null for a user in a snapshot", JSON.stringify({ ...valid[3], data: { a: null } })],
  ])("is refused that is %s", (_, data) => {
    expect(() => readMessage(data)).toThrow(expect.objectContaining({ code: "PROTOCOL" }));
  });

  it("is let be when it is of a type not known yet", () => {
    for (const type of ["new", "__proto__", "constructor", "toString", 5, null, undefined]) {
      expect(readMessage(JSON.stringify({ type }))).toBeUndefined();
    }
  });
});
