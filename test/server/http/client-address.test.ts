import type { IncomingMessage } from "node:http";
import proxyAddr from "proxy-addr";
import { describe, expect, it } from "vitest";
import { clientAddress } from "../../../src/server/http/client-address.ts";

describe("X-Forwarded-For", () => {
  const trust = proxyAddr.compile(["127.0.0.1", "10.0.0.0/8"]);
  const CLIENT = "203.0.113.7";

  it("is read from its end, as far as the hops are ours", () => {
    let asked = 0;
    const counting = (address: string, hop: number) => {
      asked++;
      return trust(address, hop);
    };
    const madeUp = "10.0.0.1,".repeat(7_000);
    expect(clientAddress("127.0.0.1", `${madeUp}${CLIENT}, 10.1.1.1`, counting)).toBe(CLIENT);
    expect(asked).toBe(3);
    asked = 0;
    clientAddress("127.0.0.1", madeUp, counting);
    expect(asked).toBeLessThan(50);
    expect(clientAddress("127.0.0.1", "x".repeat(60_000), counting).length).toBeLessThan(100);
  });

  it.each([
    "",
    " ",
    ",",
    CLIENT,
    `,,${CLIENT},,`,
    `1.1.1.1,${CLIENT} , 10.0.0.1`,
    "10.0.0.1, 10.0.0.2",
    `unknown, ${CLIENT}`,
    "unknown",
    `${CLIENT},127.0.0.1,10.0.0.9`,
  ])("%j gives the same address as the library", (header) => {
    for (const peer of ["127.0.0.1", "9.9.9.9"]) {
      const request = { socket: { remoteAddress: peer }, headers: { "x-forwarded-for": header } };
      expect(clientAddress(peer, header, trust)).toBe(
        proxyAddr(request as unknown as IncomingMessage, trust),
      );
    }
  });
});
