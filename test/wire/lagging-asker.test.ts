import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("a reader that lags over %s", (transport) => {
  let gateway: TestGateway;
  let clock: HandClock;
  beforeEach(async () => {
    const env = {
      MAX_BUFFERED_BYTES: "262144",
      DIFF_INTERVAL_MS: "0",
      MESSAGES_PER_SECOND: "1000000",
      HTTP_REQUESTS_PER_SECOND: "1000000",
    };
    // The clock goes on a little with each round: a reader that is slow for long would be disconnected.
    clock = new HandClock();
    gateway = await TestGateway.start(transport, { clock, env });
  });
  afterEach(() => gateway.stop());

  it("may go on with queries: the gateway leaves out diffs, not responses", async () => {
    const reader = await gateway.connect("reader");
    const { view } = await reader.subscribe({});
    const app = await gateway.connect();
    const note = (round: number) =>
      Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`key-${i}`, `${round}`.padEnd(512, "x")]));
    const sessionIds: string[] = [];
    for (let i = 0; i < 16; i++) sessionIds.push(await app.open({ userId: `user-${i}`, custom: note(0) }));

    reader.socket.pause();
    let round = 0;
    while (gateway.node.telemetry.lagged === 0) {
      round++;
      for (const sessionId of sessionIds) app.send({ type: "update", sessionId, custom: note(round) });
      await app.settled();
      clock.turn(gateway, 50);
    }
    for (let id = 1; id <= 20; id++) reader.send({ type: "ping", id });
    await app.settled();
    reader.socket.resume();

    for (let id = 1; id <= 20; id++) await reader.take((message) => message.id === id);
    await reader.take(
      ({ type, reason, more }) => type === "snapshot" && reason === "lagged" && more !== true,
    );
    await app.settled();
    await reader.settled();
    expect(reader.views.get(view)!.data).toEqual(await gateway.query({}));
  });
});
