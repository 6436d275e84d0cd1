import { setTimeout as delay } from "node:timers/promises";
import { type AppUnderChaos, EVERYTHING } from "./app-under-chaos.ts";
import type { ChaosWorld } from "./chaos-world.ts";
import { RudeSocket } from "./rude-socket.ts";
import { SLACK_MS, TIMES } from "./times.ts";

/** Actions of clients that follow no protocol. */
export class RudeVisitors {
  readonly #world: ChaosWorld;
  readonly #a: AppUnderChaos;

  constructor(world: ChaosWorld) {
    this.#world = world;
    this.#a = world.a;
  }

  async offend(): Promise<void> {
    const rude = new RudeSocket(this.#world.gateway.port, this.#a.id);
    if (!(await rude.upgraded)) return rude.end();
    if (this.#world.random.next() < 0.7) {
      rude.text({ type: "connect", token: await this.#a.userToken(this.#world.visitor("rude")) });
      await delay(50);
    }
    rude.offend(this.#world.random);
    await delay(500);
    rude.end();
  }

  async handshakes(): Promise<void> {
    const sockets = Array.from({ length: 300 }, () => new RudeSocket(this.#world.gateway.port, this.#a.id));
    await Promise.all(sockets.map(({ upgraded }) => upgraded));
    await delay(this.#world.random.between(0, 2_500));
    for (const socket of sockets) socket.end();
  }

  async zombie(): Promise<void> {
    const rude = new RudeSocket(this.#world.gateway.port, this.#a.id);
    if (!(await rude.upgraded)) return rude.end();
    rude.text({ type: "connect", token: await this.#a.userToken(this.#world.visitor("zombie")) });
    rude.text({ type: "open", kind: "widget" });
    rude.text({ type: "subscribe", id: 1, filter: { selectedConversationId: "loud" } });
    rude.text({ type: "subscribe", id: 2, filter: EVERYTHING });
    rude.playDead();
    await delay(6_000);
    rude.end();
    this.#world.extendEffects(TIMES.windowMs + SLACK_MS);
  }
}
