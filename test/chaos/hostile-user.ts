import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../support/random.ts";
import type { AppUnderChaos } from "./app-under-chaos.ts";
import type { ChaosWorld } from "./chaos-world.ts";
import { SLACK_MS, TIMES } from "./times.ts";
import { WireClient } from "./wire-client.ts";

const SOCKETS = 8;
const ACTING_MS = 2_500;
/** Nearly the maximum data of a session, in characters that JSON writes as six. */
const WIDEST = { ["\u0001".repeat(60)]: "\u0001".repeat(510) };

/**
 * A user with a valid token that uses everything the token allows, as much as possible, on many sockets:
 * endless sessions, the largest custom fields, endless filters, updates that affect many views, unread
 * replies. Others must not notice. The observers, the healthy client and the quiet points check that.
 */
export class HostileUser {
  readonly #world: ChaosWorld;
  readonly #app: AppUnderChaos;
  readonly #random: Random;

  constructor(world: ChaosWorld) {
    this.#world = world;
    this.#app = world.a;
    this.#random = world.random;
  }

  async act(): Promise<void> {
    const userId = this.#world.visitor("hostile");
    const token = await this.#app.userToken(userId);
    const endsAt = Date.now() + ACTING_MS;
    await Promise.all(Array.from({ length: SOCKETS }, () => this.#onOneSocketAfterAnother(token, endsAt)));
    // The sessions of the last sockets wait to be resumed.
    this.#world.extendEffects(TIMES.windowMs + SLACK_MS);
  }

  async #onOneSocketAfterAnother(token: string, endsAt: number): Promise<void> {
    while (Date.now() < endsAt) {
      const { url } = this.#world.gateway;
      const client = await WireClient.connect(url, this.#app.id, token).catch(() => undefined);
      if (client === undefined) {
        await delay(100);
        continue;
      }
      const act = this.#random.pick([
        this.#openSessions,
        this.#changeSessions,
        this.#watchEverything,
        this.#ask,
      ]);
      const until = Math.min(endsAt, Date.now() + this.#random.between(300, 1_500));
      if (this.#random.oneIn(3)) client.socket.pause();
      while (client.isOpen && Date.now() < until) {
        for (let n = 0; n < 10; n++) act(client, this.#random);
        await delay(20);
      }
      if (this.#random.oneIn(3)) client.close();
      else client.terminate();
    }
  }

  readonly #openSessions = (client: WireClient, random: Random): void => {
    const kind = random.pick(["widget", "background"]);
    client.send({
      type: "open",
      kind,
      selectedConversationId: random.pick(["c1", "c2", "loud"]),
      custom: WIDEST,
    });
  };

  readonly #changeSessions = (client: WireClient, random: Random): void => {
    if (random.oneIn(10)) client.send({ type: "open", kind: "widget", selectedConversationId: "c1" });
    const custom = random.oneIn(5) ? { ["\u0001".repeat(60)]: `${random.below(1_000)}` } : undefined;
    client.send({
      type: "update",
      hasFocus: random.oneIn(2),
      visible: random.oneIn(2),
      ...(custom && { custom }),
    });
  };

  readonly #watchEverything = (client: WireClient, random: Random): void => {
    const userIds = Array.from({ length: random.pick([1, 10, 900]) }, (_, i) =>
      `${random.below(1e9)}-${i}`.padEnd(99),
    );
    const filter = random.pick<object>([
      { userIds },
      { userIds, selectedConversationId: "c1", hasFocus: random.oneIn(2) },
      { selectedConversationId: `c${random.below(1_000)}`, includeBackgroundSessions: true },
      { isTyping: random.oneIn(2), hasFocus: random.oneIn(2), includeBackgroundSessions: random.oneIn(2) },
    ]);
    client.send({ type: "subscribe", id: random.below(1_000), filter });
  };

  readonly #ask = (client: WireClient, random: Random): void => {
    client.send({ type: "query", id: random.below(1_000), filter: { includeBackgroundSessions: true } });
    if (random.oneIn(10)) client.send({ type: "ping", id: 1, note: "x".repeat(200_000) });
  };
}
