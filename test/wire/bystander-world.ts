import { expect } from "vitest";
import type { TestClient } from "../support/client.ts";
import { TestGateway } from "../support/gateway.ts";
import type { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

/** Custom fields of exactly so many bytes of JSON. */
export function customOf(bytes: number): Record<string, string> {
  const custom: Record<string, string> = {};
  const used = () => Buffer.byteLength(JSON.stringify(custom));
  for (let i = 0; used() < bytes; i++) {
    const key = `k${i}`;
    custom[key] = "";
    const left = bytes - used();
    // The next key and its quotes have to fit too, or nothing be left.
    custom[key] = "x".repeat(left > 512 && left < 530 ? 490 : Math.min(512, left));
  }
  expect(used()).toBe(bytes);
  return custom;
}

/**
 * A gateway in which one user does all that is possible. Another user finds that everything still works for
 * them, and that their limits are their own.
 */
export class BystanderWorld {
  gateway!: TestGateway;
  bystander!: TestClient;
  readonly #transport: (typeof TRANSPORTS)[number];
  /** Does not move by itself, so no allowance comes back, and nothing is due. */
  #now = 1_000;

  constructor(transport: (typeof TRANSPORTS)[number]) {
    this.#transport = transport;
  }

  async start(env: Record<string, string> = {}): Promise<void> {
    this.#now = 1_000;
    const clock = { now: () => this.#now, wallNow: Date.now };
    this.gateway = await TestGateway.start(this.#transport, { env, clock });
    this.bystander = await this.gateway.connect("bystander");
    await this.bystander.open({ custom: { a: "1" } });
  }

  stop(): Promise<void> {
    return this.gateway.stop();
  }

  later(ms: number): void {
    this.#now += ms;
    this.gateway.node.run(this.#now);
  }

  /**
   * The other user has a whole burst, less what they used, may open, subscribe and ask, and sees what is so.
   */
  async expectUnharmed(): Promise<void> {
    const { bystander, gateway } = this;
    for (let i = 0; i < 5; i++)
      expect((await bystander.ask({ type: "update", isTyping: true })).type).toBe("ok");
    await bystander.settled();
    const second = await bystander.open({ kind: "background", custom: customOf(4_096) });
    const { view } = await bystander.subscribe({ userIds: ["bystander", "nobody"] });
    expect(bystander.views.get(view)!.data.bystander.widgets).toHaveLength(1);
    expect((await bystander.ask({ type: "unsubscribe", view })).type).toBe("ok");
    expect((await bystander.ask({ type: "close", sessionId: second })).type).toBe("closed");
    expect(bystander.inbox.filter(({ type }) => type === "error")).toEqual([]);
    expect(gateway.log.join("")).not.toMatch(/crash|"level":(50|60)/);
  }

  /** Loses the socket of a client, and waits until the gateway has noticed. */
  async lose(client: TestClient): Promise<void> {
    const { sockets } = this.gateway.presence();
    client.terminate();
    await until(() => this.gateway.presence().sockets < sockets);
  }
}
