import type { Socket as TcpSocket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { TestClient } from "../support/client.ts";
import { type CountedWrites, countWrites } from "../support/count-writes.ts";
import { readEvents } from "../support/events.ts";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// Frames that one socket gets in one turn of the event loop leave in one write.

/** Sends messages in one packet, so that the gateway has all of them in one turn. */
function sendInOnePacket(client: TestClient, messages: readonly (object | Buffer)[]): void {
  const { _socket: tcp } = client.socket as unknown as { _socket: TcpSocket };
  tcp.cork();
  for (const message of messages) {
    client.socket.send(Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }
  tcp.uncork();
}

describe.each(TRANSPORTS)("on %s", (transport) => {
  let gateway: TestGateway;
  let writes: CountedWrites;
  let writer: TestClient;
  let watcher: TestClient;
  let sessionId: string;
  const written = () => writes.take(gateway.gateway.port);
  beforeEach(async () => {
    writes = countWrites(transport);
    gateway = await TestGateway.start(transport, { env: { DIFF_INTERVAL_MS: "0" } });
    writer = await gateway.connect("alice");
    watcher = await gateway.connect();
    sessionId = await writer.open({});
  });
  afterEach(async () => {
    await gateway.stop();
    vi.restoreAllMocks();
  });
  const update = (fields: object) => ({ type: "update", sessionId, ...fields });
  const diffs = (count: number) => until(() => watcher.inbox.length === count);

  it("the diffs that one change makes in many views, small and large", async () => {
    const views: string[] = [];
    for (let i = 0; i < 12; i++) {
      views.push((await watcher.subscribe({ userIds: ["alice", `other-${i}`] })).view);
    }
    const custom = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`key-${i}`, "x".repeat(500)]));
    for (const fields of [{ hasFocus: true }, { custom }]) {
      written();
      writer.send(update(fields));
      await diffs(views.length);
      expect(written()).toBe(1);
      expect(watcher.inbox.splice(0).map(({ type, view }) => [type, view])).toEqual(
        views.map((view) => ["diff", view]),
      );
    }
  });

  it("the diffs of several changes that arrive together, in the order of their versions", async () => {
    const { version } = await watcher.subscribe({ userIds: ["alice"] });
    written();
    sendInOnePacket(
      writer,
      [true, false, true, false, true].map((hasFocus) => update({ hasFocus })),
    );
    await diffs(5);
    expect(written()).toBe(1);
    expect(watcher.inbox.map((message) => message.version)).toEqual([1, 2, 3, 4, 5].map((n) => version + n));
  });

  it("replies and diffs", async () => {
    await writer.subscribe({ userIds: ["alice"] });
    written();
    sendInOnePacket(writer, [
      { type: "ping", id: 1 },
      update({ id: 2, hasFocus: true }),
      { type: "subscribe", id: 3, filter: { userIds: ["bob"] } },
    ]);
    await until(() => writer.inbox.length === 4);
    expect(written()).toBe(1);
    expect(writer.inbox.map(({ type, id }) => id ?? type)).toEqual([1, 2, "diff", 3]);
  });

  it("what was sent before a close frame comes before it", async () => {
    sendInOnePacket(writer, [{ type: "ping", id: 1 }, update({ id: 2, hasFocus: true }), Buffer.from([1])]);
    await writer.closed;
    expect(writer.inbox.map(({ type, id }) => [type, id])).toEqual([
      ["pong", 1],
      ["ok", 2],
    ]);
  });

  it("the events of a stream", async () => {
    const events = await readEvents(gateway, { userIds: ["alice"] });
    const { id } = await events.next();
    const version = Number(id!.split(":")[1]);
    written();
    sendInOnePacket(
      writer,
      [true, false, true].map((hasFocus) => update({ hasFocus })),
    );
    const ids = [await events.next(), await events.next(), await events.next()].map((event) => event.id);
    expect(ids.map((each) => Number(each!.split(":")[1]))).toEqual([1, 2, 3].map((n) => version + n));
    // On uWebSockets.js only those to WebSockets are counted.
    expect(written()).toBe(transport === "ws" ? 1 : 0);
    events.close();
  });
});
