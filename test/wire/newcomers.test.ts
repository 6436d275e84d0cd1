import { afterEach, describe, expect, it } from "vitest";
import { APP, TestGateway, type TestGatewayOptions } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { CONTINUATION, frame, RawWebSocket } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";

// uWebSockets.js puts fragments together out of our sight, up to MAX_MESSAGE_BYTES: so sockets are counted.

const PATH = `/v1/${APP}/realtime`;
const ATTACKER = "127.0.0.66";
/** The largest messages there can be: so there is room for few sockets that each may hold one. */
const FEW = { MAX_MESSAGE_BYTES: String(16 * 1024 * 1024) };
/** So long uWebSockets.js may keep a connection that has ended. */
const LINGER_MS = 5_000;

describe.each(TRANSPORTS)("sockets that have not connected over %s", (transport) => {
  let gateway: TestGateway;
  const raw: RawWebSocket[] = [];

  afterEach(async () => {
    for (const client of raw.splice(0)) client.destroy();
    await gateway.stop();
  });

  async function start(options: TestGatewayOptions): Promise<void> {
    gateway = await TestGateway.start(transport, options);
  }

  /** Upgrades, if it may, and begins a message of which the end does not come. */
  async function attack(options: { localAddress?: string; headers?: Record<string, string> }) {
    const client = await RawWebSocket.open(gateway.gateway.port, { path: PATH, ...options });
    raw.push(client);
    if (client.status === 101) client.write(frame({ fin: false, payload: "{".padEnd(8_000, " ") }));
    return client;
  }

  async function expectServed(options: { localAddress?: string; headers?: Record<string, string> }) {
    const client = await gateway.socket(options);
    client.send({ type: "connect", token: await gateway.token({ tokenType: "user", sub: "bystander" }) });
    await client.next("connected");
    await client.settled();
  }

  const refusals = async () => {
    const { text } = await gateway.http("GET", "/metrics");
    return Number(/refus\w*\{[^}]*"newcomers_per_address"\} (\d+)/.exec(text)?.[1]);
  };

  it("of one address are bounded where their messages are not, and another address gets in", async () => {
    const clock = new HandClock();
    await start({ env: { ...FEW, CONNECT_TIMEOUT_MS: "5000" }, clock });
    const most = gateway.node.newcomers.maxPerAddress;
    const all = [];
    for (let i = 0; i < most + 1; i++) all.push(await attack({ localAddress: ATTACKER }));
    const last = all.at(-1)!;
    if (transport === "ws") {
      // It ends a message before `connect` as soon as it is too long.
      expect(last.status).toBe(101);
      last.write(frame({ opcode: CONTINUATION, fin: false, payload: " ".repeat(193) }));
      await last.until(() => last.closeFrame !== undefined);
      expect(last.closeFrame).toMatchObject({ closed: 1009 });
      return await expectServed({ localAddress: ATTACKER });
    }
    expect(all.map(({ status }) => status)).toEqual([...Array(most).fill(101), 429]);
    expect(last.head).toMatch(/\r\nretry-after: 1\r\n/i);
    expect(JSON.parse(last.body)).toMatchObject({ errorCode: "TOO_MANY_REQUESTS" });
    expect(await refusals()).toBe(1);
    await expectServed({});
    // They end when their time is over, though they go on sending, and what the library keeps of them counts.
    clock.turn(gateway, 4_950);
    for (const each of all) each.write(frame({ opcode: CONTINUATION, fin: false, payload: " " }));
    await gateway.query();
    clock.turn(gateway, 50);
    for (const each of all.slice(0, most)) {
      await each.until(() => each.closeFrame !== undefined);
      expect(each.closeFrame).toMatchObject({ closed: 4408 });
    }
    expect((await attack({ localAddress: ATTACKER })).status).toBe(429);
    clock.turn(gateway, LINGER_MS);
    await expectServed({ localAddress: ATTACKER });
  });

  unless(transport === "uws" ? undefined : "ws refuses a long message early", it)(
    "of one address behind a proxy are no others' there",
    async () => {
      await start({ env: { ...FEW, TRUST_PROXY: "127.0.0.1" } });
      const from = (address: string) => ({ headers: { "x-forwarded-for": address } });
      const most = gateway.node.newcomers.maxPerAddress;
      const all = [];
      for (let i = 0; i < most + 1; i++) all.push(await attack(from("10.0.0.1")));
      expect(all.map(({ status }) => status)).toEqual([...Array(most).fill(101), 429]);
      await expectServed(from("10.0.0.2"));
      // A socket that has connected holds no place: one address may have far more of them, one after the
      // other.
      for (let i = 0; i < 2 * most; i++) await expectServed(from("10.0.0.3"));
      expect(gateway.node.newcomers.present).toBe(most);
    },
  );
});
