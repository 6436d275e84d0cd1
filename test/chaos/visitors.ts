import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../support/random.ts";
import { type AppUnderChaos, EVERYTHING } from "./app-under-chaos.ts";
import type { ChaosWorld } from "./chaos-world.ts";
import type { GatewayUnderTest } from "./gateway-under-test.ts";
import { SLACK_MS, TIMES } from "./times.ts";
import { type Message, WireClient } from "./wire-client.ts";

/** A gateway that refuses a visitor for this long is not there for them. */
const CONNECTED_WITHIN_MS = 15_000;
const CLOSED_WITHIN_MS = 10_000;
const WIDE = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, "w".repeat(500)]));

export interface Visit {
  readonly client: WireClient;
  readonly sessionId: string;
}

/** Actions of single visitors, good and bad ones. */
export class Visitors {
  readonly #world: ChaosWorld;
  readonly #gateway: GatewayUnderTest;
  readonly #a: AppUnderChaos;
  readonly #b: AppUnderChaos;
  readonly #random: Random;

  constructor(world: ChaosWorld) {
    this.#world = world;
    this.#gateway = world.gateway;
    this.#a = world.a;
    this.#b = world.b;
    this.#random = world.random;
  }

  async tabs(): Promise<void> {
    const userId = this.#world.visitor("tabs");
    const token = await this.#a.userToken(userId);
    const tabs = await Promise.all(Array.from({ length: 5 }, () => this.visit(userId, token)));
    await delay(this.#random.between(50, 800));
    await Promise.all(
      this.#random.shuffle(tabs).map(async (tab) => {
        await delay(this.#random.between(0, 1_500));
        this.leave(tab, this.#random.pick(["close message", "goodbye", "gone"]));
      }),
    );
  }

  async reload(): Promise<void> {
    const userId = this.#world.visitor("reloads");
    const token = await this.#a.userToken(userId);
    let tab = await this.visit(userId, token);
    for (let i = 0; i < 3; i++) {
      await delay(this.#random.between(50, 400));
      const at = Date.now();
      this.#a.oracle.record(at, userId, "leaves the page");
      this.#a.oracle.mayEnd(tab.sessionId, at + TIMES.windowMs);
      if (this.#random.next() < 0.5) tab.client.socket.close(1001);
      else tab.client.terminate();
      await delay(this.#random.between(0, TIMES.windowMs / 2));
      const next = await this.visit(userId, token, tab.sessionId);
      const now = Date.now();
      const isInTime = now - at < TIMES.windowMs - 300 - this.#a.oracle.tolerance(now);
      if (next.sessionId !== tab.sessionId && isInTime)
        this.#a.oracle.violated("I2", Date.now(), userId, "a page that was reloaded is another session");
      tab = next;
    }
    this.leave(tab, "close message");
  }

  async takeOver(): Promise<void> {
    const userId = this.#world.visitor("moves");
    const token = await this.#a.userToken(userId);
    const first = await this.visit(userId, token);
    const causes: string[] = [];
    first.client.onText = (text) => {
      const message = JSON.parse(text);
      if (message.type === "closed") causes.push(message.cause);
    };
    const second = await this.visit(userId, token, first.sessionId);
    await first.client.ask({ type: "ping" });
    const late = await first.client.ask({ type: "update", sessionId: first.sessionId, hasFocus: true });
    if (second.sessionId !== first.sessionId || causes.join() !== "replaced" || late.code !== "NOT_FOUND")
      this.#a.oracle.violated("I2", Date.now(), userId, `not taken over: ${causes}, ${JSON.stringify(late)}`);
    first.client.terminate();
    await delay(300);
    this.leave(second, "goodbye");
  }

  async kick(): Promise<void> {
    const userId = this.#world.visitor("kicked");
    const token = await this.#a.userToken(userId);
    const tabs = await Promise.all([this.visit(userId, token), this.visit(userId, token)]);
    for (const { sessionId } of tabs) this.#a.oracle.ended(sessionId, Date.now());
    await fetch(`${this.#gateway.url}/v1/${this.#a.id}/users/${userId}/sessions`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${this.#a.secret}` },
    });
    await delay(200);
    for (const { client } of tabs) client.close();
  }

  async expire(refreshes: boolean): Promise<void> {
    const userId = this.#world.visitor("expires");
    const { oracle } = this.#a;
    const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
    let exp = 0;
    const token = () => {
      exp = inSeconds(2);
      oracle.expires(userId, exp * 1_000);
      return this.#a.userToken(userId, exp);
    };
    const client = await this.#connect(token, () => oracle.delivered(userId, Date.now()));
    void client.ask({ type: "subscribe", filter: {} });
    const opened = await client.ask({ type: "open", kind: "widget" });
    if (refreshes) {
      exp = inSeconds(4);
      const answer = await client.ask({ type: "refresh", token: await this.#a.userToken(userId, exp) });
      if (answer.type !== "ok")
        oracle.violated("I9", Date.now(), userId, `no refresh: ${JSON.stringify(answer)}`);
      oracle.expires(userId, exp * 1_000);
    }
    while (
      client.closeCode === undefined &&
      Date.now() < exp * 1_000 + 9_000 + oracle.tolerance(Date.now())
    ) {
      if (refreshes && Date.now() < exp * 1_000 - 1_000 && !client.isOpen) break;
      await delay(50);
    }
    if (client.closeCode !== 4410 || Date.now() < exp * 1_000 - 100)
      oracle.violated(
        "I9",
        Date.now(),
        userId,
        `closed with ${client.closeCode}, ${Date.now() - exp * 1_000} ms after exp`,
      );
    client.terminate();
    if (opened.type === "opened") this.#world.extendEffects(TIMES.windowMs + SLACK_MS);
  }

  async lie(): Promise<void> {
    const { oracle } = this.#a;
    const victims = Object.entries(await this.#a.query(EVERYTHING)) as [string, Message][];
    if (victims.length === 0) return;
    const [victim, { widgets }] = this.#random.pick(victims);
    const sessionId = widgets[0]?.sessionId;
    if (sessionId === undefined) return;
    const wrong = (what: string, answer: Message) =>
      oracle.violated("I5", Date.now(), victim, `${what}: ${JSON.stringify(answer)}`);
    const userId = this.#world.visitor("mallory");
    const mallory = await this.visit(userId, await this.#a.userToken(userId));
    for (const message of [
      { type: "update", sessionId, custom: { n: "stolen" } },
      { type: "close", sessionId },
      { type: "open", kind: "widget", userId: victim },
    ]) {
      const answer = await mallory.client.ask(message);
      if (answer.type !== "error") wrong("another's session was touched", answer);
    }
    const stolen = await mallory.client.ask({ type: "open", kind: "widget", sessionId });
    if (stolen.resumed !== false || stolen.sessionId === sessionId)
      wrong("another's session was resumed", stolen);
    else oracle.mayEnd(stolen.sessionId, 0);
    this.leave(mallory, "goodbye");
    // A token of the other app, in each direction.
    const foreign = await WireClient.connect(this.#gateway.url, this.#a.id, this.#b.appToken).catch(
      () => undefined,
    );
    if (foreign !== undefined) wrong("a token of another app was taken", "");
    const other = await this.#connect(async () => this.#b.appToken, undefined, this.#b);
    const across = await other.ask({ type: "open", kind: "widget", userId: victim, sessionId });
    if (across.resumed !== false) wrong("a session of another app was resumed", across);
    other.close();
  }

  async flood(): Promise<void> {
    const userId = this.#world.visitor("floods");
    const { client, sessionId } = await this.visit(userId, await this.#a.userToken(userId));
    const at = Date.now();
    this.#a.oracle.mayEnd(sessionId, at + TIMES.windowMs);
    for (let i = 0; i < 30 && client.isOpen; i++) {
      for (let k = 0; k < 100; k++) client.send(`{"type":"update","custom":{"n":"${i}-${k}"}}`);
      await delay(10);
    }
    for (let waited = 0; waited < CLOSED_WITHIN_MS && client.closeCode === undefined; waited += 20)
      await delay(20);
    if (client.closeCode !== 4429)
      this.#a.oracle.violated(
        "I6",
        at,
        userId,
        `3000 messages in a moment, and closed with ${client.closeCode}`,
      );
    client.terminate();
    this.#world.extendEffects(TIMES.windowMs + SLACK_MS);
  }

  /** Sessions with many large changes: more than slow readers can read. */
  async loud(): Promise<void> {
    const client = await this.#connect(async () => this.#a.appToken);
    const ids: string[] = [];
    for (let i = 0; i < 10; i++) {
      const fields = { userId: this.#world.visitor("loud"), selectedConversationId: "loud", custom: WIDE };
      const answer = await client.ask({ type: "open", kind: "widget", ...fields });
      if (answer.type === "opened") ids.push(answer.sessionId);
    }
    const until = Date.now() + 3_000;
    for (let n = 0; Date.now() < until; n++) {
      for (const sessionId of ids)
        client.send({ type: "update", sessionId, custom: { n: String(n), k0: `${n}`.padEnd(500) } });
      await delay(45);
    }
    client.close();
  }

  async visit(userId: string, token: string, sessionId?: string): Promise<Visit> {
    const client = await this.#connect(async () => token);
    const answer = await client.ask({ type: "open", kind: "widget", ...(sessionId && { sessionId }) });
    if (answer.type !== "opened") throw new Error(`not opened: ${JSON.stringify(answer)}`);
    this.#a.oracle.holds(userId, [answer.sessionId], Date.now());
    return { client, sessionId: answer.sessionId };
  }

  /**
   * Connects as a real client does: when the connection is lost before the gateway has answered, for
   * example because the machine is busy for longer than CONNECT_TIMEOUT_MS, the client tries again.
   */
  async #connect(
    token: () => Promise<string>,
    onText?: (text: string) => void,
    app = this.#a,
  ): Promise<WireClient> {
    const giveUpAt = Date.now() + CONNECTED_WITHIN_MS;
    for (;;) {
      try {
        return await WireClient.connect(this.#gateway.url, app.id, await token(), onText);
      } catch (error) {
        if (Date.now() > giveUpAt) throw error;
        await delay(100);
      }
    }
  }

  leave({ client, sessionId }: Visit, how: "close message" | "goodbye" | "gone"): void {
    const at = Date.now();
    const { oracle } = this.#a;
    if (how === "gone") {
      oracle.mayEnd(sessionId, at + TIMES.windowMs, at + TIMES.windowMs + SLACK_MS);
      this.#world.extendEffects(TIMES.windowMs + SLACK_MS);
      return client.terminate();
    }
    oracle.ended(sessionId, at);
    if (how === "close message") client.send({ type: "close", sessionId });
    client.close();
  }
}
