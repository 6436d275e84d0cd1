import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it, type TestContext } from "vitest";
import { TcpProxy } from "../support/proxy.ts";
import { TestSdk } from "../support/sdk.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { EVERYTHING } from "./app-under-chaos.ts";
import { LONG, print, start } from "./crowded.ts";

// Networks that are bad without being cut.

async function proxyBefore(context: TestContext, port: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(port);
  context.onTestFinished(() => proxy.stop());
  return proxy;
}

describe.concurrent.each(TRANSPORTS)("bad networks, over %s", (transport) => {
  it("R67: behind a slow, thin and unsteady network no client is considered lost", async (context) => {
    const clients = LONG ? 200 : 50;
    const lastsMs = LONG ? 600_000 : 20_000;
    const heartbeatMs = LONG ? 16_000 : 6_000;
    // A ping and its reply have half a heartbeat.
    const longestSilenceMs = heartbeatMs / 16;
    const { gateway, swarm, observe, oracle, query, stats } = await start(context, transport, {
      HEARTBEAT_INTERVAL_MS: String(heartbeatMs),
      // A lost socket would be visible at once.
      RESUME_WINDOW_MS: "0",
    });
    const proxy = await proxyBefore(context, gateway.port);
    const crowd = swarm("far-", clients, [], proxy.port);
    await crowd.order({ kind: "connect" });
    await crowd.order({ kind: "open", overMs: 200 });
    const observing = observe("observer", EVERYTHING);
    await observing.caughtUp(5_000);
    expect((await stats()).sessions).toBe(clients);
    // 64 kbit per second, a mean delay of 400 ms that varies, pieces of 100 bytes. Lost packets are silence
    // until they are sent again.
    proxy.limit(8_000);
    proxy.slice(100);
    const endAt = Date.now() + lastsMs;
    let silences = 0;
    while (Date.now() < endAt) {
      proxy.delay(200 + Math.random() * 400);
      await delay(Math.random() * 1_000);
      if (Math.random() < 0.3) {
        silences++;
        proxy.blackhole(true);
        await delay(longestSilenceMs * (0.2 + 0.8 * Math.random()));
        proxy.blackhole(false);
      }
    }
    await observing.caughtUp(5_000);
    observing.observer.compare(await query(EVERYTHING), Date.now());
    expect(oracle.violations).toEqual([]);
    expect(observing.observer.diffs).toBe(0);
    expect(await stats()).toMatchObject({ sessions: clients, sockets: clients + 1 });
    print(
      `R67 ${transport}: ${clients} clients, ${lastsMs / 1_000} s at 64 kbit/s, 200 to 600 ms late, ${silences} silences of up to ${longestSilenceMs} ms: all there, 0 diffs`,
    );
  }, 700_000);

  it("R86: behind a network that changes bits nothing breaks, and all states agree after it is repaired", async (context) => {
    const lastsMs = LONG ? 600_000 : 10_000;
    const { gateway, token, query } = await start(context, transport, { RESUME_WINDOW_MS: "1000" });
    const proxy = await proxyBefore(context, gateway.port);
    const people = Array.from(
      { length: 10 },
      (_, i) => new Person(i, `http://127.0.0.1:${proxy.port}`, token),
    );
    context.onTestFinished(() => {
      for (const person of people) person.leave();
    });
    await until(() => people.every(({ session }) => session.state === "open"));
    proxy.corrupt(1e-4);
    const endAt = Date.now() + lastsMs;
    let reloads = 0;
    while (Date.now() < endAt) {
      for (const person of people) {
        if (person.client.status() === "failed") {
          reloads++;
          person.reload();
        }
        person.session.set({ custom: { n: String(Math.random()) }, hasFocus: Math.random() < 0.5 });
      }
      await delay(50);
    }
    proxy.corrupt(0);
    // A changed message may still be valid, which only a checksum could detect. So all clients start again.
    for (const person of people) person.reload();
    const agree = async () => {
      const told = await query(EVERYTHING);
      return (
        Object.keys(told).length === 10 &&
        people.every(({ watch }) => isDeepStrictEqual(parsed(watch.data), parsed(told)))
      );
    };
    await context.expect.poll(agree, { timeout: 30_000 }).toBe(true);
    const lost = people.reduce((sum, person) => sum + person.reconnects, 0);
    print(
      `R86 ${transport}: one bit of 10,000 bytes changed for ${lastsMs / 1_000} s: ${lost} connections made again, ${reloads} clients were told to stay away, all agree afterwards`,
    );
  }, 700_000);
});

/** Without what JSON does not have, such as prototypes. */
const parsed = (data: object) => JSON.parse(JSON.stringify(data));

/** A client of the SDK with a session that watches all users. */
class Person {
  readonly #userId: string;
  readonly #url: string;
  readonly #token: string;
  #sdk!: TestSdk;
  session!: ReturnType<TestSdk["client"]["open"]>;
  watch!: ReturnType<TestSdk["watch"]>;
  reconnects = 0;

  constructor(index: number, url: string, token: string) {
    this.#userId = `user-${index}`;
    this.#url = url;
    this.#token = token;
    this.#begin();
  }

  get client(): TestSdk["client"] {
    return this.#sdk.client;
  }

  /** Connects as a page does. */
  reload(): void {
    this.leave();
    this.#begin();
  }

  leave(): void {
    this.reconnects += this.#sdk.statuses.filter((status) => status === "reconnecting").length;
    void this.client.close();
  }

  #begin(): void {
    this.#sdk = new TestSdk(this.#url, this.#token, { appId: "app" });
    this.session = this.client.open({ kind: "widget", userId: this.#userId });
    this.watch = this.#sdk.watch(EVERYTHING);
  }
}
