import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BodySink } from "../../../src/server/gateway/body-sink.ts";
import { Frame } from "../../../src/server/gateway/frame.ts";
import {
  BodyWanted,
  type HttpRequest,
  streamResponse,
  textResponse,
} from "../../../src/server/http/exchange.ts";
import { MAX_PIPELINED } from "../../../src/server/transport/transport.ts";
import { BareTransport } from "../../support/bare-transport.ts";
import { TRANSPORTS } from "../../support/transports.ts";
import { until } from "../../support/until.ts";

// The contract that the gateway relies on, tested on each adapter without a gateway behind it.
// This file has requests; contract.test.ts has connections and WebSockets.

describe.each(TRANSPORTS)("HTTP on the %s transport", (name) => {
  let bare: BareTransport;
  beforeEach(async () => {
    bare = await BareTransport.start(name);
  });
  afterEach(() => bare.stop());

  it("passes on a request, and sends its response", async () => {
    const response = await fetch(bare.url("/a%20b/c?d=%7B%7D&e"), {
      method: "POST",
      body: "bödy",
      headers: {
        authorization: "Bearer x",
        "content-type": "text/plain",
        "last-event-id": "v:1",
        "x-forwarded-for": "1.2.3.4",
        "x-other": "ignored",
      },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const request = (await response.json()) as Omit<HttpRequest, "address"> & { address: string };
    expect(request).toMatchObject({ contentLength: 5, isForwarded: true });
    expect(request).toMatchObject({
      method: "POST",
      path: "/a%20b/c",
      query: "d=%7B%7D&e",
      body: "bödy",
      headers: {
        authorization: "Bearer x",
        "content-type": "text/plain",
        "last-event-id": "v:1",
        host: new URL(bare.url("/")).host,
        "x-forwarded-for": "1.2.3.4",
      },
    });
    expect(request.address).toMatch(/\|1\.2\.3\.4$/);
    expect(Object.keys(request.headers)).not.toContain("x-other");
  });

  it("leaves out the body of a response to HEAD, and keeps its length", async () => {
    bare.handle = () => textResponse(200, '{"a":1}');
    const response = await fetch(bare.url("/"), { method: "HEAD" });
    expect(response.headers.get("content-length")).toBe("7");
    expect(await response.text()).toBe("");
  });

  it("waits for handlers, and ends only the request of one that throws", async () => {
    bare.handle = async ({ path }) => {
      await delay(20);
      if (path === "/bad") throw new Error("a defect");
      return textResponse(200, "{}");
    };
    await expect(fetch(bare.url("/bad"))).rejects.toThrow();
    expect(await (await fetch(bare.url("/good"))).text()).toBe("{}");
    bare.handle = () => {
      throw new Error("another");
    };
    await expect(fetch(bare.url("/"))).rejects.toThrow();
    expect(bare.crashes.splice(0)).toHaveLength(2);
  });

  it("survives clients that go away at any point", async () => {
    bare.handle = async () => {
      await delay(10);
      return textResponse(200, "{}");
    };
    for (let i = 0; i < 50; i++) {
      const tcp = await bare.raw(
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n${"x".repeat(i % 12)}`,
      );
      setTimeout(() => tcp.resetAndDestroy(), i % 20);
    }
    await delay(50);
    expect((await fetch(bare.url("/"))).status).toBe(200);
  });

  it("makes a long response only as fast as it is read", async () => {
    let made = 0;
    function* pieces(): Generator<string, undefined> {
      for (; made < 400; made++) yield `${made}`.padEnd(65_536, ".");
    }
    bare.handle = () => textResponse(200, pieces());
    const tcp = await bare.raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    tcp.pause();
    await until(() => made > 0);
    await delay(300);
    expect(made).toBeLessThan(200);
    tcp.destroy();
    await delay(50);
    made = 0;
    const text = await (await fetch(bare.url("/"))).text();
    expect(text).toHaveLength(400 * 65_536);
    expect(made).toBe(400);
  });

  it("streams, and reports when bytes wait, when none waits any more, and when the reader has gone", async () => {
    const events: string[] = [];
    let sink!: BodySink;
    bare.handle = () =>
      streamResponse("text/event-stream", (opened) => {
        sink = opened;
        return { onDrain: () => events.push("drain"), onClose: () => events.push("close") };
      });
    const tcp = await bare.raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let received = 0;
    tcp.on("data", (data) => {
      received += data.length;
    });
    await until(() => sink !== undefined);
    sink.send(new Frame("data: 1\n\n"));
    await until(() => received > 0);
    tcp.pause();
    const piece = new Frame("x".repeat(65_536));
    let sent = 0;
    // Node hands over at the end of its turn, so each piece is given one.
    do {
      if (sent++ > 1_000) throw new Error("nothing ever waits");
      sink.send(piece);
      await delay(1);
    } while (sink.buffered === 0);
    const { progress } = sink;
    events.length = 0;
    tcp.resume();
    await until(() => events.includes("drain"));
    await until(() => sink.buffered === 0);
    expect(sink.progress).not.toBe(progress);
    tcp.destroy();
    await until(() => events.includes("close"));
    sink.send(piece);
    sink.end();
    sink.terminate();
    expect(events.filter((event) => event === "close")).toHaveLength(1);
  });

  it("sends a whole answer to a slow reader exactly, and handles no next request before it is out", async () => {
    const text = "é✓x".repeat(1_000_000);
    // More than the kernel takes at both ends for a reader that takes nothing.
    const moreThanFits = Buffer.alloc(32 * 1_024 * 1_024, "x");
    const handled: string[] = [];
    for (const body of [text, Buffer.from(text)]) {
      handled.length = 0;
      bare.handle = ({ path }) => {
        handled.push(path);
        return { status: 200, headers: {}, body: path === "/2" ? moreThanFits : body };
      };
      const tcp = await bare.raw("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
      tcp.pause();
      await delay(200);
      const chunks: Buffer[] = [];
      let received = 0;
      tcp.on("data", (chunk) => {
        chunks.push(chunk);
        received += chunk.length;
        if (chunks.length % 20 > 0) return;
        tcp.pause();
        setTimeout(() => tcp.resume(), 5);
      });
      tcp.resume();
      await until(() => received > Buffer.byteLength(text));
      const [, got] = Buffer.concat(chunks).toString().split("\r\n\r\n");
      expect(got === text).toBe(true);
      tcp.removeAllListeners("data");
      tcp.pause();
      tcp.write("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
      await until(() => handled.length === 2);
      // Its answer waits: a third request is not handled, and may end the connection.
      await delay(100);
      tcp.write("GET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
      await delay(200);
      expect(handled).toEqual(["/1", "/2"]);
      tcp.destroy();
    }
  });

  it("answers pipelined requests in order, and disconnects a client that sends too many", async () => {
    const handled: string[] = [];
    bare.handle = ({ path }) => {
      handled.push(path);
      return textResponse(200, JSON.stringify(path));
    };
    const request = (i: number) => `GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const requests = (count: number) => Array.from({ length: count }, (_, i) => request(i)).join("");
    const patient = await bare.raw(requests(MAX_PIPELINED));
    let text = "";
    patient.on("data", (data) => {
      text += data;
    });
    await until(() => text.includes(`"/${MAX_PIPELINED - 1}"`));
    const bodies = [...text.matchAll(/"\/(\d+)"/g)].map(([, i]) => Number(i));
    expect(bodies).toEqual([...Array(MAX_PIPELINED).keys()]);
    patient.destroy();
    handled.length = 0;
    const greedy = await bare.raw(requests(1_500));
    greedy.resume();
    await until(() => greedy.closed);
    expect(handled.length).toBeLessThanOrEqual(3 * MAX_PIPELINED);
    expect((await fetch(bare.url("/"))).status).toBe(200);
  });

  it("answers many requests at the same time, each with its own body", async () => {
    bare.handle = (request) => {
      // Else connections would end with their answers, as there are so many.
      request.authorized();
      return new BodyWanted("app", (body) => textResponse(200, `${request.path}=${body}`));
    };
    const asking = await Promise.all(
      Array.from({ length: 400 }, async (_, i) => {
        const tcp = await bare.raw("", `127.0.3.${1 + (i % 100)}`);
        const seen = { tcp, text: "" };
        tcp.on("data", (data) => {
          seen.text += data;
        });
        return seen;
      }),
    );
    for (let round = 0; round < 5; round++) {
      for (const seen of asking) seen.text = "";
      // In one turn of the event loop, so that all come in one turn of the server's.
      for (const [i, { tcp }] of asking.entries()) {
        const body = `${round} ${i}`;
        tcp.write(`POST /${i} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      }
      await until(() => asking.every(({ text }, i) => text.endsWith(`/${i}=${round} ${i}`)));
    }
    for (const { tcp } of asking) tcp.destroy();
  });

  it("refuses a body for which there is no room, skips the rest of it, and accepts the next request", async () => {
    const kept: string[] = [];
    bare.handle = ({ path }) =>
      new BodyWanted(path, (body) => {
        kept.push(String(body));
        return textResponse(200, "{}");
      });
    const post = (path: string, length: number) =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
    const tcp = await bare.raw();
    let text = "";
    tcp.on("data", (data) => {
      text += data;
    });
    const codes = () => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => Number(code));
    tcp.write(post("/a", 60_000) + "x".repeat(20_000));
    await until(() => codes().length === 1);
    expect(text).toMatch(/^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: 1\r\n/i);
    expect(bare.bodyRefused).toBe(1);
    tcp.write("y".repeat(40_000));
    // A body of which only the last piece is missing holds what came before; another owner has a part of
    // its own.
    tcp.write(post("/a", 10_000) + "z".repeat(9_999));
    await until(() => bare.bodies.bytes === 9_999);
    const other = await bare.raw(post("/b", 8));
    other.write("12345678");
    await until(() => kept.length === 1);
    tcp.write("!");
    await until(() => kept.length === 2);
    expect(kept).toEqual(["12345678", `${"z".repeat(9_999)}!`]);
    await until(() => codes().length === 2);
    expect(codes()).toEqual([503, 200]);
    // The bytes of a client that goes away count no more.
    tcp.write(post("/a", 10_000) + "z".repeat(100));
    await until(() => bare.bodies.bytes > 0);
    tcp.destroy();
    other.destroy();
    await until(() => bare.bodies.bytes === 0);
  });

  it("closes after a response that asks for it, and handles no request behind it", async () => {
    const handled: string[] = [];
    bare.handle = ({ path }) => {
      handled.push(path);
      return { ...textResponse(429, "{}"), closeAfter: true };
    };
    const tcp = await bare.raw("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    let text = "";
    tcp.on("data", (data) => {
      text += data;
    });
    await until(() => tcp.closed);
    expect(text).toMatch(/^HTTP\/1\.1 429 [\s\S]*\r\nconnection: close\r\n[\s\S]*\{\}$/i);
    const pipelined = await bare.raw("GET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
    pipelined.resume();
    await until(() => pipelined.closed);
    expect(handled).toEqual(["/1", "/2"]);
  });

  it("can end a stream", async () => {
    bare.handle = () =>
      streamResponse("text/event-stream", (sink) => {
        sink.send(new Frame("data: 1\n\n"));
        setTimeout(() => sink.end(), 20);
        return { onDrain: () => {}, onClose: () => {} };
      });
    expect(await (await fetch(bare.url("/"))).text()).toBe("data: 1\n\n");
  });

  it("closes after the requests in hand have their answers", async () => {
    let isAsked = false;
    bare.handle = async () => {
      isAsked = true;
      await delay(100);
      return textResponse(200, "{}");
    };
    const inHand = fetch(bare.url("/"));
    await until(() => isAsked);
    await bare.transport.close();
    await bare.transport.close();
    expect(await (await inHand).text()).toBe("{}");
    await expect(fetch(bare.url("/"))).rejects.toThrow();
  });

  it("waits for the requests in hand, also after a stream that failed to start", async () => {
    bare.handle = () =>
      streamResponse("text/event-stream", () => {
        throw new Error("a defect");
      });
    const failed = fetch(bare.url("/")).then((response) => response.text());
    await expect(failed).rejects.toThrow();
    expect(bare.crashes.splice(0)).toHaveLength(1);
    let answer: (() => void) | undefined;
    bare.handle = () =>
      new Promise((resolve) => {
        answer = () => resolve(textResponse(200, "{}"));
      });
    const inHand = fetch(bare.url("/"));
    await until(() => answer !== undefined);
    let isClosed = false;
    const closed = bare.transport.close().then(() => {
      isClosed = true;
    });
    await delay(20);
    expect(isClosed).toBe(false);
    answer!();
    expect(await (await inHand).text()).toBe("{}");
    await closed;
  });
});
