import { describe, expect, it } from "vitest";
import { UwsHead } from "../../../../src/server/transport/uws/uws-head.ts";
import type { UwsRequest } from "../../../../src/server/transport/uws/uws-types.ts";

function headOf(...lines: (readonly [name: string, value: string])[]): UwsHead {
  const request: Pick<UwsRequest, "forEach"> = {
    forEach: (visit) => {
      for (const [name, value] of lines) visit(name, value);
    },
  };
  return new UwsHead(request as UwsRequest);
}

describe("headers of several lines", () => {
  it.each(["accept-encoding", "host", "upgrade", "connection", "x-forwarded-for"] as const)(
    "are joined: %s",
    (name) => {
      expect(headOf([name, "a"], ["other", "x"], [name, ""], [name, "b"])[name]).toBe("a, , b");
    },
  );

  it.each(["authorization", "content-type", "last-event-id"] as const)(
    "of which the first counts: %s",
    (name) => {
      expect(headOf([name, ""], [name, "b"])[name]).toBe("");
    },
  );

  it("of the handshake are joined too", () => {
    const names = ["sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol"] as const;
    const head = headOf(
      ...names.flatMap(
        (name) =>
          [
            [name, "1"],
            [name, "2"],
          ] as const,
      ),
    );
    expect([head.key, head.version, head.protocol]).toEqual(["1, 2", "1, 2", "1, 2"]);
  });
});

it("a header that is missing is undefined, and an empty one is not", () => {
  expect(headOf().host).toBeUndefined();
  expect(headOf(["host", ""]).host).toBe("");
});

describe("the length of a body", () => {
  it("is 0 without a header", () => {
    expect(headOf()).toMatchObject({ contentLength: 0, isSmuggling: false });
    expect(headOf(["content-length", "12"])).toMatchObject({ contentLength: 12, isSmuggling: false });
  });

  it("is not known of chunks", () => {
    const head = headOf(["transfer-encoding", "chunked"], ["transfer-encoding", ""]);
    expect(head).toMatchObject({
      contentLength: Number.POSITIVE_INFINITY,
      isChunked: true,
      isSmuggling: false,
    });
    expect(head["transfer-encoding"]).toBe("chunked, ");
  });

  it.each([
    ["100-continue", false],
    ["100-Continue", true],
    ["100-CONTINUE", true],
    ["200-ok", false],
    ["", false],
  ])("may have to be asked for: Expect: %s", (value, awaitsContinue) => {
    // The library does it where all letters are small.
    expect(headOf(["expect", value])).toMatchObject({ awaitsContinue });
  });

  it.each([
    [
      "two lengths",
      [
        ["content-length", "1"],
        ["content-length", "1"],
      ],
    ],
    ["an empty length", [["content-length", ""]]],
    [
      "chunks and a length",
      [
        ["transfer-encoding", "chunked"],
        ["content-length", "1"],
      ],
    ],
    [
      "a length and an empty coding",
      [
        ["content-length", "1"],
        ["transfer-encoding", ""],
      ],
    ],
  ] as const)("can be read in two ways with %s", (_name, lines) => {
    expect(headOf(...lines).isSmuggling).toBe(true);
  });
});

it("a request is forwarded if any header of a proxy says so", () => {
  expect(headOf(["x-forwarded-for", ""]).isForwarded).toBe(true);
  expect(headOf(["via", "1.1 x"]).isForwarded).toBe(true);
  expect(headOf(["user-agent", "x"]).isForwarded).toBe(false);
});
