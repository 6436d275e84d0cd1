import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { View } from "../../src/core/views/view.ts";
import type { TestClient } from "../support/client.ts";
import { TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

// Filters on custom fields as an attack: as many and as large ones as one user can have.

const MAX_BYTES = 1_048_576;

describe.each(TRANSPORTS)("filters on custom fields by one user over %s", (transport) => {
  let gateway: TestGateway;
  let clock: HandClock;
  let bystander: TestClient;
  let mallory: TestClient;
  beforeEach(async () => {
    clock = new HandClock();
    const env = {
      MAX_SUBSCRIPTION_BYTES_PER_USER: String(MAX_BYTES),
      MESSAGES_PER_SECOND: "1000",
      DIFF_INTERVAL_MS: "0",
    };
    gateway = await TestGateway.start(transport, { clock, env, app: { indexedCustom: ["team"] } });
    bystander = await gateway.connect("bystander");
    mallory = await gateway.connect("mallory");
  });
  afterEach(() => {
    vi.restoreAllMocks();
    return gateway.stop();
  });

  /** Four keys with 16 values of 512 characters: as large as a filter may be. */
  const large = (n: number) => ({
    custom: Object.fromEntries(
      ["team", "a", "b", "c"].map((key) => [
        key,
        Array.from({ length: 16 }, (_, i) => `${n} ${key} ${i}`.padEnd(512, "x")),
      ]),
    ),
  });

  it("are bounded in bytes, and so is what is kept of them after they were dropped", async () => {
    let accepted = 0;
    let answer = await mallory.subscribe(large(accepted));
    for (
      ;
      answer.type === "snapshot" && accepted < 1_000;
      answer = await mallory.subscribe(large(accepted))
    ) {
      accepted++;
      // The bytes of a user's messages are limited too.
      clock.turn(gateway, 500);
    }
    expect(answer).toMatchObject({ type: "error", code: "LIMIT_REACHED" });
    expect(accepted * 4 * 16 * 512).toBeLessThanOrEqual(MAX_BYTES);
    expect(accepted).toBeGreaterThan(2);
    // Whoever drops them and asks for others keeps no more.
    for (const [i, view] of [...mallory.views.keys()].entries()) {
      await mallory.ask({ type: "unsubscribe", view });
      clock.turn(gateway, 500);
      expect((await mallory.subscribe(large(1_000 + i))).type).toBe("snapshot");
    }
    const { views, idle } = gateway.presence().debugCounts();
    expect(views! + idle!).toBeLessThanOrEqual(2 * accepted);
    expect(await mallory.subscribe(large(9_999))).toMatchObject({ code: "LIMIT_REACHED" });
    // Another user has their own share.
    expect((await bystander.subscribe(large(0))).type).toBe("snapshot");
  });

  it("cost the change of another user nothing, and are touched only by their own values", async () => {
    const sessionId = await bystander.open({ custom: { team: "billing", n: "0" } });
    const { view } = await bystander.subscribe({ custom: { team: "billing" }, userIds: ["bystander"] });
    for (let i = 0; i < 100; i++) {
      const team = Array.from({ length: 16 }, (_, k) => `${i} ${k}`);
      expect((await mallory.subscribe({ custom: { team, n: ["0", "1"] } })).type).toBe("snapshot");
    }
    const marks = vi.spyOn(View.prototype, "markDirty");
    const flushes = vi.spyOn(View.prototype, "flush");
    for (let n = 1; n <= 20; n++) {
      await bystander.ask({ type: "update", sessionId, custom: { n: `${n % 2}` }, hasFocus: n % 2 === 0 });
      expect((await bystander.next("diff")).view).toBe(view);
    }
    expect([marks.mock.calls.length, flushes.mock.calls.length]).toEqual([20, 20]);
    expect(mallory.inbox).toEqual([]);
    await bystander.ask({ type: "update", sessionId, custom: { team: "7 3" } });
    expect((await mallory.next("diff")).data.bystander.widgets).toHaveLength(1);
    // The view that the session leaves, and the one that it enters.
    expect(marks.mock.calls.length).toBe(22);
  });

  it("that no index covers, or that are too large, are refused and keep nothing", async () => {
    const value = "x".repeat(512);
    const BAD = [
      { a: "1" },
      {},
      { team: [] },
      { team: Array.from({ length: 17 }, () => value) },
      { team: "x".repeat(513) },
      { team: "1", a: "1", b: "1", c: "1", d: "1" },
      { ["k".repeat(65)]: "1", team: "1" },
      { team: 1 },
      { team: [["1"]] },
      { team: { length: 1 } },
    ];
    for (const custom of BAD) {
      const answer = await mallory.subscribe({ custom });
      expect(answer, JSON.stringify(custom).slice(0, 80)).toMatchObject({ code: "BAD_MESSAGE" });
      expect(answer.issues[0].path).toMatch(/^filter\.custom/);
    }
    expect(gateway.presence().debugCounts()).toMatchObject({ views: 0, idle: 0 });
  });
});
