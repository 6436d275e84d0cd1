import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAwakeClock } from "../../src/server/clock.ts";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

describe.each(TRANSPORTS)("a process that stood still, over %s", (transport) => {
  let gateway: TestGateway;
  /** Of the machine, which does not know that the process stands still. */
  let time: number;
  const awake = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      time += Math.min(50, ms - passed);
      gateway.node.run(gateway.node.clock.now());
    }
  };
  const asleep = (ms: number) => {
    time += ms;
    gateway.node.run(gateway.node.clock.now());
  };
  beforeEach(async () => {
    time = 0;
    const clock = createAwakeClock(
      () => time,
      undefined,
      () => 0,
    );
    gateway = await TestGateway.start(transport, { clock, env: { HEARTBEAT_INTERVAL_MS: "600" } });
  });
  afterEach(() => gateway.stop());

  it("asks its clients whether they live before it takes its own sleep for their silence", async () => {
    const living = await gateway.connect("alice");
    const dead = await gateway.socket({ autoPong: false });
    dead.send({ type: "connect", token: await gateway.token({ tokenType: "user", sub: "bob" }) });
    await dead.next("connected");
    awake(300);
    asleep(20_000);
    awake(299);
    await living.settled();
    expect(dead.socket.readyState).toBe(dead.socket.OPEN);
    expect(dead.pings).toBe(0);
    awake(1);
    await until(() => dead.pings === 1);
    asleep(20_000);
    awake(299);
    await living.settled();
    expect(dead.socket.readyState).toBe(dead.socket.OPEN);
    awake(1);
    expect((await dead.closed).code).toBe(1006);
    expect(dead.pings).toBe(1);
    await living.settled();
  });
});
