import { afterEach, describe, expect, it } from "vitest";
import type { TestClient } from "../support/client.ts";
import { readEvents } from "../support/events.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

const CUSTOM = { note: "n".repeat(500), more: "m".repeat(500) };

describe.each(TRANSPORTS)("readers over %s", (transport) => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  /** Opens this many sessions of some weight, each of another user; the client that holds them. */
  async function crowd(count: number): Promise<TestClient> {
    const client = await gateway.connect();
    for (let i = 0; i < count; i++) {
      client.send({
        type: "open",
        kind: "widget",
        userId: `user-${i}`,
        custom: CUSTOM,
        hasFocus: i % 2 === 0,
      });
    }
    await client.settled();
    return client;
  }

  describe("of long answers", () => {
    it("get a snapshot in pages of one version, with no diff between, and the diffs after", async () => {
      gateway = await TestGateway.start(transport, { env: { DIFF_INTERVAL_MS: "1" } });
      const writer = await crowd(400);
      const sessionId = await writer.open({ userId: "writer" });
      let n = 0;
      const writing = setInterval(
        () => writer.send({ type: "update", sessionId, custom: { n: String(n++) } }),
        1,
      );
      for (let round = 0; round < 5; round++) {
        const reader = await gateway.connect();
        reader.send({ type: "subscribe", id: 1, filter: {} });
        const first = await reader.next("snapshot");
        expect(first.more).toBe(true);
        await reader.take((message) => message.type === "diff" && message.version >= first.version + 3);
        const pages = reader.inbox.filter(({ type }) => type === "snapshot");
        expect(pages.length).toBeGreaterThan(4);
        for (const page of pages)
          expect(page).toMatchObject({ id: 1, view: first.view, version: first.version });
        expect(pages.map(({ more }) => more)).toEqual([...pages.slice(1).map(() => true), undefined]);
        for (const page of pages) expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThanOrEqual(65_536);
        reader.terminate();
      }
      clearInterval(writing);
      await writer.settled();
      const reader = await gateway.connect();
      const { view } = await reader.subscribe({});
      expect({ ...reader.views.get(view)!.data }).toEqual(await gateway.query({}));
    });

    it("get a query's result in pages, several at a time, but not without end", async () => {
      gateway = await TestGateway.start(transport, { env: { MAX_SUBSCRIPTIONS_PER_SOCKET: "1" } });
      await crowd(400);
      const reader = await gateway.connect();
      reader.socket.pause();
      for (let id = 1; id <= 40; id++) reader.send({ type: "query", id, filter: {} });
      await until(() => gateway.node.telemetry.messages.query === 40);
      reader.socket.resume();
      await reader.settled();
      // Refusals come at once, and the answers in order: the last that was not refused ends them.
      const isError = ({ type }: { type: string }) => type === "error";
      const refused = new Set<number>();
      for (const { id, code } of reader.inbox.filter(isError)) {
        expect(code).toBe("LIMIT_REACHED");
        refused.add(id);
      }
      const last = Array.from({ length: 40 }, (_, i) => 40 - i).find((id) => !refused.has(id));
      const end = await reader.take((message) => message.id === last && !message.more);
      const answers = new Map<number, Record<string, unknown>>();
      for (const { id, data } of [...reader.inbox.filter((each) => !isError(each)), end]) {
        answers.set(id, { ...answers.get(id), ...data });
      }
      expect(refused.size).toBeGreaterThan(0);
      expect(answers.size).toBeGreaterThanOrEqual(4);
      for (const [id, data] of answers) {
        expect(refused.has(id)).toBe(false);
        expect(Object.keys(data)).toHaveLength(400);
      }
    });

    it("get every user who was online all the time once, while others come and go between the pages", async () => {
      gateway = await TestGateway.start(transport);
      const there = 2_000;
      await crowd(there);
      const passing = await gateway.connect();
      const reader = await gateway.connect();
      let isOver = false;
      let passed = 0;
      const churning = (async () => {
        for (; !isOver; passed++) {
          const sessionId = await passing.open({ userId: `passing-${passed % 20}`, custom: CUSTOM });
          await passing.ask({ type: "close", sessionId });
        }
      })();
      for (let id = 1; id <= 5 || passed <= 5; id++) {
        reader.send({ type: "query", id, filter: {} });
        const last = await reader.take((message) => message.id === id && !message.more);
        const pages = [...reader.inbox.splice(0), last];
        const users = pages.flatMap(({ data }) => Object.keys(data));
        expect(pages.length).toBeGreaterThan(20);
        expect(new Set(users).size).toBe(users.length);
        expect(users.filter((userId) => userId.startsWith("user-"))).toHaveLength(there);
      }
      isOver = true;
      await churning;
    });

    it("get the pages of a stream's snapshot, with an id on the last only", async () => {
      gateway = await TestGateway.start(transport);
      await crowd(300);
      const events = await readEvents(gateway, {});
      const data: Record<string, unknown> = {};
      for (;;) {
        const event = await events.next();
        const page = JSON.parse(event.data);
        Object.assign(data, page.data);
        expect(event.id).toBe(page.more ? undefined : `${page.view}:${page.version}`);
        if (!page.more) break;
      }
      expect(data).toEqual(await gateway.query({}));
      events.close();
    });
  });

  describe("that are slow", () => {
    it("miss diffs at bounded memory, then get a snapshot that says so, and the diffs after it without a gap", async () => {
      // The clock stands still: a reader that is slow for long would be disconnected.
      const clock = new HandClock();
      gateway = await TestGateway.start(transport, {
        clock,
        env: { MAX_BUFFERED_BYTES: "100000", DIFF_INTERVAL_MS: "0", MESSAGES_PER_SECOND: "1000000" },
      });
      const writer = await crowd(1);
      const slow = await gateway.connect();
      const healthy = await gateway.connect();
      const { view } = await slow.subscribe({});
      await healthy.subscribe({});
      slow.socket.pause();
      const telemetry = gateway.node.telemetry;
      // Kernel buffers hide megabytes: write until the gateway itself has noticed.
      for (let n = 0; telemetry.lagged === 0; n++) {
        const wide = Object.fromEntries([...Array(5).keys()].map((i) => [`k${i}`, `${n}`.padEnd(500, ".")]));
        for (let i = 0; i < 12; i++) writer.send({ type: "update", custom: { ...wide, i: `${i}` } });
        await writer.settled();
        if (n > 2_000) throw new Error("nobody ever lags");
      }
      for (let i = 0; i < 100; i++) await writer.ask({ type: "update", custom: { i: `after ${i}` } });
      // Both agree on the end, though one was asleep.
      slow.socket.resume();
      const lagged = await slow.take(({ type, reason }) => type === "snapshot" && reason === "lagged");
      expect(lagged).not.toHaveProperty("id");
      writer.send({ type: "update", custom: { i: "last" } });
      await slow.take(({ type, data }) => type === "diff" && data["user-0"]?.widgets[0].custom.i === "last");
      const truth = await gateway.query({});
      expect({ ...slow.views.get(view)!.data }).toEqual(truth);
      expect(healthy.inbox.some(({ reason }) => reason === "lagged")).toBe(false);
      await until(() => healthy.views.get(view)!.version === slow.views.get(view)!.version);
      expect({ ...healthy.views.get(view)!.data }).toEqual(truth);
    });

    it("and send queries meanwhile get their snapshot even if a response pushes out the waiting diffs", async () => {
      const clock = new HandClock();
      gateway = await TestGateway.start(transport, {
        clock,
        env: { DIFF_INTERVAL_MS: "200", MAX_BUFFERED_BYTES: "262144", MESSAGES_PER_SECOND: "2000" },
      });
      const writer = await crowd(300);
      const ids = Object.values(await gateway.query({})).map(({ widgets }) => widgets[0].sessionId);
      const slow = await gateway.connect();
      const { view } = await slow.subscribe({});
      slow.socket.pause();
      // Snapshot upon snapshot, until the kernel takes no more; and a ping now and then.
      for (let n = 0; gateway.node.telemetry.lagged <= 3; n++) {
        if (n > 1_000) throw new Error("nobody ever lags");
        for (const sessionId of ids) writer.send({ type: "update", sessionId, custom: { n: String(n) } });
        if (n % 10 === 0) slow.send({ type: "ping" });
        await writer.settled();
        clock.turn(gateway, 100);
      }
      slow.socket.resume();
      await writer.settled();
      clock.turn(gateway, 200);
      const truth = await gateway.query({});
      await expect.poll(() => ({ ...slow.views.get(view)!.data })).toEqual(truth);
    });

    it("and send queries without reading the responses are disconnected", async () => {
      gateway = await TestGateway.start(transport, {
        env: { MAX_BUFFERED_BYTES: "20000", MESSAGES_PER_SECOND: "100000", MAX_MESSAGE_BYTES: "1000" },
      });
      const reader = await gateway.connect();
      reader.socket.pause();
      await until(() => {
        for (let id = 0; id < 2_000; id++) reader.send({ type: "unsubscribe", id, view: "v".repeat(200) });
        return gateway.node.telemetry.slowReadersDisconnected > 0;
      });
      await until(() => gateway.node.debugCounts().managedConnections === 0);
    });
  });

  describe("of an event stream", () => {
    it("take up where they were by Last-Event-ID, or get a snapshot", async () => {
      gateway = await TestGateway.start(transport, { env: { DIFF_INTERVAL_MS: "0" } });
      const writer = await crowd(2);
      const first = await readEvents(gateway, { hasFocus: true });
      const { id } = await first.next();
      first.close();
      await until(() => gateway.presence().subscriptions === 0);
      const session = await writer.ask({ type: "query", filter: {} });
      const { sessionId } = session.data["user-1"].widgets[0];
      await writer.ask({ type: "update", sessionId, hasFocus: true });
      const again = await readEvents(gateway, { hasFocus: true }, { "last-event-id": id! });
      expect(await again.nextBlock()).toBe(": resumed");
      const diff = await again.next();
      expect(diff).toMatchObject({ event: "diff", id: id!.replace(":1", ":2") });
      expect(Object.keys(JSON.parse(diff.data).data)).toEqual(["user-1"]);
      again.close();
      for (const wrong of [`${id}0`, "nonsense", "other:1", `${id!.split(":")[0]}:-1`]) {
        const fresh = await readEvents(gateway, { hasFocus: true }, { "last-event-id": wrong });
        expect((await fresh.next()).event).toBe("snapshot");
        fresh.close();
      }
    });

    it("get what has waited as soon as they read again, though nothing follows it", async () => {
      // The clock stands still: no comment takes along what waits.
      gateway = await TestGateway.start(transport, {
        clock: new HandClock(),
        env: { DIFF_INTERVAL_MS: "0", MESSAGES_PER_SECOND: "1000000" },
      });
      const writer = await crowd(1);
      const events = await readEvents(gateway, {});
      await events.next();
      const wide = Object.fromEntries([...Array(5).keys()].map((i) => [`k${i}`, ".".repeat(500)]));
      await writer.ask({ type: "update", custom: wide });
      // Kernel buffers hide megabytes: write until bytes wait in the gateway. Each diff has the whole user.
      for (let waits = 0, n = 0; waits < 3; n++) {
        for (let i = 0; i < 10; i++) writer.send({ type: "update", custom: { i: `${n} ${i}` } });
        await writer.settled();
        waits = gateway.node.debugCounts().backlogged! > 0 ? waits + 1 : 0;
        if (n > 2_000) throw new Error("nothing ever waits");
      }
      await writer.ask({ type: "update", custom: { i: "last" } });
      for (let data = ""; !data.includes('"i":"last"'); ) ({ data } = await events.next());
      events.close();
    });

    it("leave nothing behind when they go", async () => {
      gateway = await TestGateway.start(transport);
      const readers = await Promise.all([...Array(20).keys()].map(() => readEvents(gateway, {})));
      for (const reader of readers) await reader.next();
      expect(gateway.presence().subscriptions).toBe(20);
      expect((await gateway.http("GET", `/v1/${APP}/stats`)).json).toMatchObject({
        subscriptions: 20,
        views: 1,
        sockets: 0,
      });
      for (const reader of readers) reader.close();
      await until(() => gateway.presence().subscriptions === 0);
      const nothing = { managedConnections: 0, connections: 0, addresses: 0 };
      await expect.poll(() => gateway.node.debugCounts()).toMatchObject(nothing);
    });

    it("are refused without a token, and told why", async () => {
      gateway = await TestGateway.start(transport);
      const response = await fetch(`${gateway.url}/v1/${APP}/presences/stream`, {
        headers: { authorization: `Bearer x${SECRET}` },
      });
      expect(response.status).toBe(401);
    });
  });
});
