import { describe, expect, it } from "vitest";
import { jsonResponse } from "../../../../src/server/http/exchange.ts";
import { PIECES_PER_TURN } from "../../../../src/server/transport/transport.ts";
import {
  peerOf,
  sendAndClose,
  writeHead,
  writePieces,
} from "../../../../src/server/transport/uws/uws-response.ts";
import type { UwsResponse } from "../../../../src/server/transport/uws/uws-types.ts";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

function fakeResponse() {
  const state = {
    calls: [] as string[],
    isFree: true,
    room: 1_000,
    offset: 0,
    onWritable: (_offset: number): boolean => true,
  };
  const response: Partial<Record<keyof UwsResponse, unknown>> = {
    cork: (write: () => void) => write(),
    writeStatus: (status: string) => state.calls.push(status),
    writeHeader: (name: string, value: string) => state.calls.push(`${name}: ${value}`),
    write: (chunk: string | Uint8Array) => {
      state.calls.push(String(chunk));
      return state.isFree;
    },
    end: () => state.calls.push("end"),
    pause: () => state.calls.push("pause"),
    close: () => state.calls.push("close"),
    getWriteOffset: () => state.offset,
    tryEnd: (bytes: Buffer, total: number) => {
      const taken = Math.min(bytes.length, state.room);
      state.room -= taken;
      state.offset += taken;
      state.calls.push(`${bytes.subarray(0, taken)} of ${total}`);
      return [taken === bytes.length, state.offset === total];
    },
    onWritable: (handler: (offset: number) => boolean) => {
      state.onWritable = handler;
    },
    getRemoteAddressAsText: () => new TextEncoder().encode("192.0.2.1").buffer,
  };
  return { response: response as unknown as UwsResponse, state };
}

it("the peer is the address as text", () => {
  expect(peerOf(fakeResponse().response)).toBe("192.0.2.1");
});

describe("a head", () => {
  it("has its status line, unless that is the library's own", () => {
    const { response, state } = fakeResponse();
    writeHead(response, { ...jsonResponse(429, {}), headers: {} });
    writeHead(response, { ...jsonResponse(299, {}), headers: {} });
    writeHead(response, { ...jsonResponse(200, {}), headers: {} });
    expect(state.calls).toEqual(["429 Too Many Requests", "299"]);
  });

  it("has its headers", () => {
    const { response, state } = fakeResponse();
    writeHead(response, { status: 200, headers: { a: "1", b: "2" }, body: "" });
    expect(state.calls).toEqual(["a: 1\r\nb: 2"]);
  });
});

it("a head after 100 Continue has its status line in its first header", () => {
  const { response, state } = fakeResponse();
  writeHead(response, { status: 200, headers: { a: "1", b: "2" }, body: "" }, true);
  expect(state.calls).toEqual(["HTTP/1.1 200 OK\r\na: 1\r\nb: 2"]);
});

describe("the last response of a connection", () => {
  const reply = { status: 200, headers: {}, body: "hello" };

  it("never counts as answered, and ends the connection when all of it is out", async () => {
    const { response, state } = fakeResponse();
    sendAndClose(response, reply, () => false);
    expect(state.calls).toEqual(["connection: close", "hell of 5", "o of 6"]);
    await nextTurn();
    expect(state.calls.at(-1)).toBe("close");
  });

  it("waits for the client", async () => {
    const { response, state } = fakeResponse();
    state.room = 2;
    sendAndClose(response, reply, () => false);
    await nextTurn();
    expect(state.calls.slice(1)).toEqual(["he of 5", " of 6"]);
    state.room = 10;
    expect(state.onWritable(2)).toBe(true);
    await nextTurn();
    expect(state.calls.slice(3)).toEqual(["llo of 6", "close"]);
  });

  it("is not made for a client that has gone", async () => {
    const { response, state } = fakeResponse();
    let isAborted = false;
    sendAndClose(response, reply, () => isAborted);
    isAborted = true;
    await nextTurn();
    expect(state.onWritable(0)).toBe(true);
    expect(state.calls).not.toContain("close");
  });
});

describe("pieces", () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
  const start = (count: number) => {
    const { response, state } = fakeResponse();
    const progress = { isAborted: false, finished: 0 };
    const write = () =>
      writePieces(
        response,
        numbers(count).values(),
        () => progress.isAborted,
        () => progress.finished++,
      );
    return { state, progress, write };
  };

  it("are so many in a turn, until the last", async () => {
    const { state, progress, write } = start(PIECES_PER_TURN + 1);
    write();
    expect(state.calls).toEqual([]);
    await nextTurn();
    expect(state.calls).toEqual(numbers(PIECES_PER_TURN));
    expect(progress.finished).toBe(0);
    await nextTurn();
    expect(state.calls).toEqual([...numbers(PIECES_PER_TURN + 1), "end"]);
    expect(progress.finished).toBe(1);
  });

  it("of a last response end with nothing read after them", async () => {
    const { response, state } = fakeResponse();
    writePieces(
      response,
      numbers(1).values(),
      () => false,
      () => {},
      true,
    );
    await nextTurn();
    expect(state.calls).toEqual(["0", "pause", "end"]);
  });

  it("wait for the client", async () => {
    const { state, progress, write } = start(3);
    state.isFree = false;
    write();
    await nextTurn();
    expect(state.calls).toEqual(["0"]);
    expect(state.onWritable(0)).toBe(false);
    expect(state.calls).toEqual(["0", "1"]);
    state.isFree = true;
    expect(state.onWritable(0)).toBe(true);
    expect([state.calls, progress.finished]).toEqual([["0", "1", "2", "end"], 1]);
  });

  it("are not made for a client that has gone", async () => {
    const { state, progress, write } = start(PIECES_PER_TURN + 1);
    write();
    await nextTurn();
    progress.isAborted = true;
    await nextTurn();
    state.onWritable(0);
    expect(state.calls).toEqual(numbers(PIECES_PER_TURN));
  });
});
