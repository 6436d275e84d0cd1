import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type StrangerConnection, TcpSlots } from "../../../src/server/gateway/tcp-slots.ts";
import { runs } from "../../support/seed.ts";

const NO_PROXY = () => false;

function slots(knowsConnections: boolean, maxConnections: number, maxPerAddress = maxConnections) {
  const clock = { now: 0 };
  const isProxy = (peer: string) => peer === "10.0.0.1";
  const now = () => clock.now;
  const tcp = new TcpSlots({ maxConnections, maxPerAddress, isProxy, knowsConnections, now });
  return { clock, tcp };
}

class Connection implements StrangerConnection {
  isIdle = false;
  isEnded = false;
  end(): void {
    this.isEnded = true;
  }
}

const SLOTS = 96;

describe("slots of a transport that can tell connections apart", () => {
  it("equal a list of the connections, and leave nothing behind", () => {
    const steps = fc.array(
      fc.record({
        do: fc.constantFrom("open", "open", "open", "close", "upgrade", "known", "idle"),
        peer: fc.constantFrom("127.0.0.1", "127.0.0.1", "127.0.0.2", "::1", "10.0.0.1"),
        pick: fc.nat({ max: 1_000 }),
      }),
      { maxLength: 400, size: "max" },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const { tcp } = slots(true, SLOTS);
        const open: { peer: string; connection: Connection; isWebSocket: boolean; isStranger: boolean }[] =
          [];
        const close = (i: number) => {
          const [each] = open.splice(i, 1);
          if (each!.isStranger) tcp.known(each!.peer, each!.connection);
          tcp.close(each!.isWebSocket);
        };
        for (const { do: act, peer, pick } of all) {
          const i = open.length === 0 ? -1 : pick % open.length;
          const chosen = open[i];
          if (act === "open") {
            const connection = new Connection();
            const webSockets = open.filter(({ isWebSocket }) => isWebSocket).length;
            const plain = open.length + 1 - webSockets;
            const isShort = plain > SLOTS / 2 || SLOTS - open.length - 1 < SLOTS / 8;
            const share = isShort ? 32 : SLOTS / 2;
            const strangers = open.filter((each) => each.isStranger && each.peer === peer);
            const opened = tcp.open(peer, connection);
            expect(opened).toBe(open.length === SLOTS ? "full" : "taken");
            if (opened === "full") tcp.close(false);
            else {
              const isProxy = peer === "10.0.0.1";
              const ended = strangers.filter((each) => each.connection.isEnded);
              expect(ended.length).toBe(!isProxy && strangers.length >= share ? 1 : 0);
              const expected = strangers.find((each) => each.connection.isIdle) ?? strangers[0];
              for (const each of ended) {
                expect(each).toBe(expected);
                each.isStranger = false;
                close(open.indexOf(each));
              }
              open.push({ peer, connection, isWebSocket: false, isStranger: !isProxy });
            }
          } else if (chosen === undefined) continue;
          else if (act === "close") close(i);
          else if (act === "idle") chosen.connection.isIdle = true;
          else if (!chosen.isWebSocket) {
            if (chosen.isStranger) tcp.known(chosen.peer, chosen.connection);
            chosen.isStranger = false;
            if (act === "upgrade") {
              chosen.isWebSocket = true;
              tcp.upgraded();
            }
          }
          expect(tcp.connections).toBe(open.length);
        }
        while (open.length > 0) close(0);
        expect([tcp.connections, tcp.addresses, tcp.isCrowded, tcp.isShort]).toEqual([0, 0, false, false]);
      }),
      { numRuns: runs(300), seed: 14 },
    );
  });
});

describe("the rate of strangers from one address", () => {
  const PER_SECOND = 10;

  function start() {
    const clock = { now: 0 };
    const tcp = new TcpSlots({
      maxConnections: 1_000,
      maxPerAddress: 500,
      perSecondOfAddress: PER_SECOND,
      isProxy: (peer) => peer === "10.0.0.1",
      knowsConnections: true,
      now: () => clock.now,
    });
    /** Opens and closes so many; how many were taken. */
    const taken = (peer: string, count: number) => {
      let all = 0;
      for (let i = 0; i < count; i++) {
        const connection = new Connection();
        const opened = tcp.open(peer, connection);
        if (opened === "taken") all++;
        else expect(opened).toBe("too_often");
        tcp.strangerLeft(peer, connection);
        tcp.close(false);
      }
      return all;
    };
    return { clock, tcp, taken };
  }

  it("is limited, whether they stay or not, without effect on other addresses", () => {
    const { clock, tcp, taken } = start();
    expect(taken("127.0.0.1", 1_000)).toBe(2 * PER_SECOND);
    expect(taken("127.0.0.2", 1)).toBe(1);
    // What is refused does not count: whoever shares the address gets in as soon as there is room.
    clock.now += 1_000 / PER_SECOND;
    expect(taken("127.0.0.1", 1_000)).toBe(1);
    clock.now += 1_000;
    expect(taken("127.0.0.1", 1_000)).toBe(PER_SECOND);
    expect(tcp.connections).toBe(0);
  });

  it("does not count connections that show credentials", () => {
    const { tcp, taken } = start();
    for (let i = 0; i < 1_000; i++) {
      const connection = new Connection();
      expect(tcp.open("127.0.0.1", connection)).toBe("taken");
      tcp.known("127.0.0.1", connection);
      tcp.close(false);
    }
    expect(taken("127.0.0.1", 1_000)).toBe(2 * PER_SECOND);
    expect(tcp.addresses).toBe(0);
  });

  it("is shared by an IPv6 household, and unlimited for a trusted proxy", () => {
    const { taken } = start();
    expect(taken("2001:db8::1", 15)).toBe(15);
    expect(taken("2001:db8::2", 15)).toBe(5);
    expect(taken("10.0.0.1", 1_000)).toBe(1_000);
  });
});

describe("slots of a transport that does not report which connection has ended", () => {
  it("an address that opens connections without end leaves half of the slots to others", () => {
    const { tcp, clock } = slots(false, 512);
    const open = (peer: string) => {
      const opened = tcp.open(peer);
      if (opened !== "taken") tcp.close(false);
      return opened;
    };
    for (let i = 0; i < 1_000; i++) open("127.0.0.1");
    expect(tcp.connections).toBe(256);
    for (let i = 0; i < 40; i++) expect(open(`127.0.1.${i}`)).toBe("taken");
    // Silent connections are gone after some seconds. They are counted for longer, and that keeps no other
    // address out.
    for (let i = 0; i < 256; i++) tcp.close(false);
    clock.now = 13_000;
    for (let i = 0; i < 1_000; i++) open("127.0.0.1");
    expect(tcp.connections).toBe(40);
    clock.now = 30_000;
    expect(open("127.0.0.1")).toBe("taken");
  });

  it("connections that show credentials do not count, however many they are", () => {
    const { tcp } = slots(false, 512, 50);
    for (let i = 0; i < 10_000; i++) {
      expect(tcp.open("127.0.0.1")).toBe("taken");
      tcp.known("127.0.0.1");
      tcp.close(false);
    }
    expect(tcp.addresses).toBe(0);
  });

  it("while slots are short, an address may have few strangers", () => {
    const { tcp } = slots(false, 512);
    const taken = (peer: string) => {
      let count = 0;
      while (tcp.open(peer) === "taken") count++;
      tcp.close(false);
      return count;
    };
    expect(taken("127.0.0.1")).toBe(256);
    expect(taken("127.0.0.2")).toBe(32);
    expect(taken("127.0.0.3")).toBe(32);
    // A household with IPv6 is one address; a proxy of ours is none.
    expect(taken("2001:db8::1")).toBe(32);
    expect(taken("2001:db8::2")).toBe(0);
    expect(taken("10.0.0.1")).toBe(512 - 256 - 3 * 32);
  });

  it("answers end the connections of an address that has used half of its share, and no others", () => {
    const { tcp } = slots(false, 512, 100);
    for (let i = 0; i < 51; i++) tcp.open("127.0.0.1");
    tcp.open("127.0.0.2");
    tcp.open("10.0.0.1");
    const ends = () => ["127.0.0.1", "127.0.0.2", "10.0.0.1"].map((peer) => tcp.endsWithAnswer(peer));
    expect(ends()).toEqual([true, false, false]);
    tcp.known("127.0.0.1");
    expect(ends()).toEqual([false, false, false]);
    for (let i = 0; i < 250; i++) tcp.open(`127.0.1.${i % 250}`);
    expect(ends()).toEqual([true, true, false]);
  });

  it("remembers a limited number of addresses", () => {
    const now = () => 0;
    const maxConnections = 1_000_000;
    const tcp = new TcpSlots({
      maxConnections,
      maxPerAddress: 9,
      isProxy: NO_PROXY,
      knowsConnections: false,
      now,
    });
    for (let i = 0; i < 200_000; i++) tcp.open(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    expect(tcp.addresses).toBeLessThan(70_000);
  });
});
