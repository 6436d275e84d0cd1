import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAwakeClock } from "../../src/shared/clock.ts";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(TRANSPORTS)("a process that stood still, over %s", (transport) => {
  let gateway: TestGateway;
  let asleep: number;
  beforeEach(async () => {
    asleep = 0;
    const clock = createAwakeClock(() => performance.now() + asleep);
    gateway = await TestGateway.start(transport, { clock, env: { HEARTBEAT_INTERVAL_MS: "600" } });
  });
  afterEach(() => gateway.stop());

  it("asks its clients whether they live before it takes its own sleep for their silence", async () => {
    const living = await gateway.connect("alice");
    const dead = await gateway.socket({ autoPong: false });
    dead.send({ type: "connect", token: await gateway.token({ tokenType: "user", sub: "bob" }) });
    await dead.next("connected");
    await pause(300);

    asleep += 20_000;

    const { code } = await dead.closed;
    expect(code).toBe(1006);
    expect(dead.pings).toBe(1);
    await living.settled();
  });
});
