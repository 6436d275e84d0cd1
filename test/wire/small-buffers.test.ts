import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readEvents } from "../support/events.ts";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("a bound on waiting bytes below one burst, over %s", (transport) => {
  let gateway: TestGateway;
  beforeEach(async () => {
    const env = { MAX_BUFFERED_BYTES: "2048", DIFF_INTERVAL_MS: "0" };
    gateway = await TestGateway.start(transport, { env });
  });
  afterEach(() => gateway.stop());

  it("makes a stream lag, but never stay silent: it ends up with the whole state", async () => {
    const events = await readEvents(gateway, {});
    const app = await gateway.connect();
    const users = Array.from({ length: 10 }, (_, i) => `user-${i}`);
    for (const userId of users) {
      app.send({ type: "open", kind: "widget", userId, custom: { note: "x".repeat(500) } });
    }
    await app.settled();

    const seen = new Set<string>();
    while (seen.size < users.length) {
      const event = await events.next();
      for (const userId of Object.keys(JSON.parse(event.data).data)) seen.add(userId);
    }
    expect([...seen].sort()).toEqual(users);
    events.close();
  });
});
