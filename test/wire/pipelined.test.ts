import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("messages sent without waiting for answers over %s", (transport) => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterEach(() => gateway.stop());

  it("are all done after connect, as many as a burst may have", async () => {
    const client = await gateway.socket();
    client.send({ type: "connect", token: await gateway.token({ tokenType: "user", sub: "alice" }) });
    for (let id = 0; id < 90; id++) client.send({ type: "ping", id });
    for (let id = 0; id < 90; id++)
      await client.take((message) => message.type === "pong" && message.id === id);
  });

  it("may be a whole burst right after connected: connect itself does not count", async () => {
    const client = await gateway.connect("alice");
    for (let id = 0; id < 100; id++) client.send({ type: "ping", id });
    for (let id = 0; id < 100; id++) expect((await client.take((each) => each.id === id)).type).toBe("pong");
  });

  it("may be larger than 8 KiB as soon as connect was sent", async () => {
    const userIds = Array.from({ length: 1000 }, (_, i) => `some-user-${i}`);
    const client = await gateway.socket();
    client.send({ type: "connect", token: await gateway.token({ tokenType: "app" }) });
    client.send({ type: "query", id: 7, filter: { userIds } });
    expect(await client.next("result")).toMatchObject({ id: 7, data: {} });
  });

  it("are answered in order and in full when many of them have long answers", async () => {
    const app = await gateway.connect();
    const custom = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`key-${i}`, "x".repeat(512)]));
    for (let i = 0; i < 160; i++) app.send({ type: "open", kind: "widget", userId: `user-${i}`, custom });
    await app.settled();

    const client = await gateway.connect("alice");
    for (let id = 0; id < 12; id++) client.send({ type: "query", id, filter: {} });
    const complete: number[] = [];
    const users = new Set<string>();
    while (complete.length < 12) {
      const page = await client.take(({ id }) => id < 12);
      expect(page.type).toBe("result");
      for (const userId of Object.keys(page.data)) users.add(`${page.id} ${userId}`);
      if (page.more !== true) complete.push(page.id);
    }
    expect(complete).toEqual(Array.from({ length: 12 }, (_, id) => id));
    expect(users.size).toBe(12 * 160);
  });
});
