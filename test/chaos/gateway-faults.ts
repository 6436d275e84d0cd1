import { setTimeout as delay } from "node:timers/promises";
import type { AppUnderChaos } from "./app-under-chaos.ts";
import type { ChaosWorld } from "./chaos-world.ts";
import type { GatewayUnderTest } from "./gateway-under-test.ts";
import { FAULTS_MS, LATEST_DETECTION_MS, TIMES } from "./times.ts";
import type { Visitors } from "./visitors.ts";

/** Faults of the gateway, which affect all clients at once. */
export class GatewayFaults {
  readonly #world: ChaosWorld;
  readonly #gateway: GatewayUnderTest;
  readonly #a: AppUnderChaos;
  readonly #visitors: Visitors;

  constructor(world: ChaosWorld, visitors: Visitors) {
    this.#world = world;
    this.#gateway = world.gateway;
    this.#a = world.a;
    this.#visitors = visitors;
  }

  async pause(ms: number): Promise<void> {
    // Clients that only wait must find everything unchanged.
    const userId = this.#world.visitor("patient");
    const token = await this.#a.userToken(userId);
    const patient = await Promise.all(Array.from({ length: 10 }, () => this.#visitors.visit(userId, token)));
    this.#world.healthy!.disturbed();
    this.#world.record(`the gateway is stopped for ${ms} ms`);
    this.#gateway.signal("SIGSTOP");
    for (const app of this.#world.apps) app.oracle.postpone(ms + 1_000);
    await delay(ms);
    this.#gateway.signal("SIGCONT");
    this.#world.healthy!.disturbed();
    this.#world.record("the gateway is woken");
    // Longer than it takes to detect a dead client and to end its session.
    await delay(LATEST_DETECTION_MS + TIMES.windowMs + 500);
    for (const { client, sessionId } of patient) {
      const answer = await client.ask({ type: "update", sessionId, hasFocus: true });
      if (answer.type !== "ok")
        this.#a.oracle.violated(
          "I2",
          Date.now(),
          userId,
          `not there after the gateway slept: ${JSON.stringify(answer)}`,
        );
    }
    for (const visit of patient) this.#visitors.leave(visit, "goodbye");
  }

  /** Functions of the gateway throw at random for a while. Clients continue. */
  async break(): Promise<void> {
    this.#world.healthy!.disturbed();
    for (let n = 0; n < 3; n++) {
      this.#gateway.signal("SIGUSR2");
      await delay(FAULTS_MS + 500);
    }
    this.#world.healthy!.disturbed();
  }

  async restart(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#world.healthy!.disturbed();
    this.#world.record(`the gateway gets ${signal}`);
    await this.#world.countLagged();
    const code = await this.#gateway.end(signal);
    if (signal === "SIGTERM" && code !== 0)
      this.#a.oracle.crashed(`the gateway went down with ${code}`, Date.now());
    for (const app of this.#world.apps) {
      // Pending messages in slow networks still come from the previous gateway.
      for (const observing of app.observers) observing.drop();
      app.oracle.restarted(Date.now());
    }
    for (const counting of this.#world.counting) counting.drop();
    this.#world.statuses.oracle.forgotten();
    await this.#gateway.start();
    this.#world.healthy!.disturbed();
  }
}
