import { expect, it } from "vitest";
import { createCounters } from "../../../src/server/gateway/telemetry.ts";
import {
  ANONYMOUS_BURST,
  ANONYMOUS_PER_SECOND,
  AnonymousRequests,
} from "../../../src/server/http/anonymous-requests.ts";
import { jsonResponse } from "../../../src/server/http/exchange.ts";

const PROXY = "10.0.0.1";
const OK = jsonResponse(200, {});

function anonymousRequests() {
  const clock = { now: 0 };
  const refusals: string[] = [];
  const anonymous = new AnonymousRequests({
    telemetry: {
      ...createCounters(),
      refused: (refusal) => void refusals.push(refusal),
      crashed: () => {},
      observeDiffDelay: () => {},
      observeQuery: () => {},
    },
    now: () => clock.now,
    isProxy: (address) => address === PROXY,
  });
  /** Makes so many requests, and returns how many of them were taken. */
  const takeMany = (address: string, count: number) =>
    Array.from({ length: count }, () => anonymous.take(address)).filter(Boolean).length;
  const exhaust = (address: string) => expect(takeMany(address, ANONYMOUS_BURST)).toBe(ANONYMOUS_BURST);
  return { anonymous, clock, refusals, takeMany, exhaust };
}

it("an address has a burst, and then so many requests a second", () => {
  const { anonymous, clock, refusals, takeMany, exhaust } = anonymousRequests();
  exhaust("192.0.2.1");
  expect(anonymous.take("192.0.2.1")).toBe(false);
  expect(refusals).toEqual(["anonymous_rate"]);
  clock.now += 1_000;
  expect(takeMany("192.0.2.1", 2 * ANONYMOUS_PER_SECOND)).toBe(ANONYMOUS_PER_SECOND);
});

it("another address has its own allowance, and the addresses of one IPv6 /64 share one", () => {
  const { anonymous, exhaust } = anonymousRequests();
  exhaust("192.0.2.1");
  expect(anonymous.take("192.0.2.2")).toBe(true);
  exhaust("2001:db8::1");
  expect(anonymous.take("2001:db8::2")).toBe(false);
  expect(anonymous.take("2001:db8:0:1::1")).toBe(true);
});

it("a proxy of ours has no limit", () => {
  const { anonymous, exhaust } = anonymousRequests();
  exhaust(PROXY);
  expect(anonymous.take(PROXY)).toBe(true);
});

it("one request too many gets 429 and the end of its connection, and its handler is not called", () => {
  const { anonymous } = anonymousRequests();
  expect(anonymous.respond("192.0.2.1", () => OK)).toBe(OK);
  for (let i = 1; i < ANONYMOUS_BURST; i++) anonymous.take("192.0.2.1");
  const refused = anonymous.respond("192.0.2.1", () => expect.fail("it was called"));
  expect(refused).toMatchObject({ status: 429, headers: { "retry-after": "1" }, closeAfter: true });
});

it("a health check has its response all the same, and then its connection ends", () => {
  const { anonymous, exhaust } = anonymousRequests();
  expect(anonymous.respondToCheck("192.0.2.2", () => OK).closeAfter).toBeUndefined();
  exhaust("192.0.2.1");
  expect(anonymous.respondToCheck("192.0.2.1", () => OK)).toMatchObject({ status: 200, closeAfter: true });
});
