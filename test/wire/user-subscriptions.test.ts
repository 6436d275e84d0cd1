import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { BystanderWorld, customOf } from "./bystander-world.ts";

// What the subscriptions of one user can cost the others.

const LIMIT = { type: "error", code: "LIMIT_REACHED" };
/** 1000 ids of 245 characters: some 620 KB by the gateway's estimate. */
const manyIds = (name: string) => Array.from({ length: 1_000 }, (_, i) => `${name}-${i}`.padEnd(245, "x"));

describe.each(TRANSPORTS)("over %s", (transport) => {
  const world = new BystanderWorld(transport);
  afterEach(() => world.stop());

  describe("the subscriptions of a user", () => {
    beforeEach(() =>
      world.start({ MAX_SUBSCRIPTION_BYTES_PER_USER: "1048576", MAX_SUBSCRIPTIONS_PER_SOCKET: "3" }),
    );
    const grant = { tokenType: "user", sub: "mallory", read: { conversationIds: ["c"] } } as const;
    const filterOf = (name: string) => ({ selectedConversationId: "c", userIds: manyIds(name) });

    it("are charged in bytes, over all sockets", async () => {
      const [one, other] = [await world.gateway.connect(grant), await world.gateway.connect(grant)];
      const { view } = await one.subscribe(filterOf("a"));
      world.later(2_000);
      expect(await other.subscribe(filterOf("b"))).toMatchObject(LIMIT);
      // The same filter keeps no more.
      expect(await other.subscribe(filterOf("a"))).toMatchObject({ type: "snapshot", view });
      world.later(2_000);
      await one.ask({ type: "unsubscribe", view });
      expect(await one.subscribe(filterOf("b"))).toMatchObject(LIMIT);
      await world.lose(other);
      world.later(2_000);
      expect((await one.subscribe(filterOf("b"))).type).toBe("snapshot");
      await world.expectUnharmed();
    });

    it("that were let go of make room, and those of others stay", async () => {
      const own = await world.gateway.connect({ tokenType: "user", sub: "bystander" });
      const { view, version } = await own.subscribe({ userIds: ["bystander"] });
      await own.ask({ type: "unsubscribe", view });
      const client = await world.gateway.connect(grant);
      for (let i = 0; i < 20; i++) {
        const snapshot = await client.subscribe(filterOf(`${i}`));
        expect(snapshot.type).toBe("snapshot");
        await client.ask({ type: "unsubscribe", view: snapshot.view });
        world.later(2_000);
      }
      // Of the twenty views the last is kept.
      const left = world.gateway.presence().debugCounts();
      expect(left.idle).toBe(2);
      expect(left.idleBytes).toBeLessThan(1_048_576 + 65_536);
      expect(await own.subscribe({ userIds: ["bystander"] }, { view, version })).toMatchObject({
        type: "resumed",
      });
      // Idle views expire, and with them the charges; then nothing is kept for a user that left.
      await world.lose(client);
      world.later(61_000);
      world.later(2_100);
      expect(world.gateway.presence().debugCounts()).toMatchObject({ budgets: 1, idle: 0, idleBytes: 0 });
      await world.expectUnharmed();
    });

    it("have at most four times as many filters as those of a socket", async () => {
      const sockets = await Promise.all(Array.from({ length: 5 }, () => world.gateway.connect(grant)));
      const filter = (n: number) => ({ selectedConversationId: "c", userIds: [`user-${n}`] });
      let n = 0;
      const views: string[] = [];
      for (const socket of sockets.slice(0, 4)) {
        for (let i = 0; i < 3; i++) views.push((await socket.subscribe(filter(n++))).view);
      }
      expect(await sockets[4]!.subscribe(filter(n))).toMatchObject(LIMIT);
      expect((await sockets[4]!.subscribe(filter(0))).type).toBe("snapshot");
      await sockets[3]!.ask({ type: "unsubscribe", view: views.at(-1) });
      expect((await sockets[4]!.subscribe(filter(n))).type).toBe("snapshot");
      expect(world.gateway.presence().debugCounts().idle).toBe(0);
      await world.expectUnharmed();
    });

    it("are charged for the size of the result, and for queries", async () => {
      const app = await world.gateway.connect();
      for (let i = 0; i < 400; i++) {
        app.send({
          type: "open",
          kind: "widget",
          userId: `u${i}`,
          selectedConversationId: "c",
          custom: customOf(4_000),
        });
      }
      await app.settled();
      const client = await world.gateway.connect(grant);
      expect(await client.subscribe({ selectedConversationId: "c" })).toMatchObject(LIMIT);
      expect(world.gateway.presence().debugCounts()).toMatchObject({ views: 0, idle: 0 });
      const answer = await client.ask({ type: "query", filter: { selectedConversationId: "c" } });
      expect(answer.type).toBe("result");
      // An app token is not charged.
      expect((await app.subscribe({ selectedConversationId: "c" })).type).toBe("snapshot");
      await world.expectUnharmed();
    });
  });

  it("a view that has grown beyond what a user may keep stays, and no other is added", async () => {
    await world.start({ MAX_SUBSCRIPTION_BYTES_PER_USER: "1048576", DIFF_INTERVAL_MS: "0" });
    const grant = { tokenType: "user", sub: "mallory", read: { conversationIds: ["c", "d"] } } as const;
    const [client, other] = [await world.gateway.connect(grant), await world.gateway.connect(grant)];
    const filter = { selectedConversationId: "c" };
    const { view } = await client.subscribe(filter);
    const app = await world.gateway.connect();
    const ids: string[] = [];
    for (let i = 0; i < 300; i++) {
      const custom = customOf(4_000);
      ids.push(await app.open({ userId: `u${i}`, selectedConversationId: "c", custom }));
    }
    const size = () => Object.keys(client.views.get(view)!.data).length;
    await until(() => {
      world.later(1_000);
      return size() === 300;
    });
    expect(await client.subscribe({ selectedConversationId: "d" })).toMatchObject(LIMIT);
    // What the user has goes on, on other sockets too, and so do queries.
    expect(await other.subscribe(filter)).toMatchObject({ type: "snapshot", view });
    world.later(2_000);
    expect((await other.ask({ type: "query", filter: { selectedConversationId: "d" } })).type).toBe("result");
    for (const sessionId of ids.slice(100)) await app.ask({ type: "close", sessionId });
    await until(() => {
      world.later(1_000);
      return size() === 100;
    });
    expect((await client.subscribe({ selectedConversationId: "d" })).type).toBe("snapshot");
    await world.expectUnharmed();
  });
});
