import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type AppFeatures, UserFacts } from "../../../src/dashboard/store/user-facts.ts";
import { fakeFrames } from "./fake-frames.ts";

const PERIOD_MS = 5_000;
const respond = vi.fn<(url: string, init: RequestInit) => Promise<Response>>();
const page = { hidden: false };
const busy = { availability: "busy", text: "x" };
let facts: UserFacts;
let app: AppFeatures;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  vi.stubGlobal("document", page);
  vi.stubGlobal("location", { href: "https://example.com/dashboard/" });
  vi.stubGlobal("fetch", respond);
  fakeFrames();
  page.hidden = false;
  app = { keepsLastSeen: true };
});
afterEach(() => {
  facts.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  respond.mockReset();
});

/** A gateway with these answers; 404 for last seen if the app does not keep it. */
function answer(status: object, seen: object | undefined): void {
  respond.mockImplementation(async (url) => {
    if (url.includes("/users/status")) return Response.json({ data: status });
    return seen === undefined ? new Response("{}", { status: 404 }) : Response.json({ data: seen });
  });
}

function open(userId = "alice"): void {
  facts = new UserFacts({ token: "a.b.c", appId: "shop" }, userId, app);
}

it("knows the declared status and when the user was last seen", async () => {
  answer(busy, { alice: { lastSeenAt: 5 } });
  open();
  await vi.waitFor(() => expect(facts.declared).toEqual(busy));
  expect(facts.lastSeen).toEqual({ lastSeenAt: 5 });
  answer(busy, {});
  vi.advanceTimersByTime(PERIOD_MS);
  await vi.waitFor(() => expect(facts.lastSeen).toBe("never"));
});

it("a user may have the name of a property", async () => {
  answer(busy, {});
  open("constructor");
  await vi.waitFor(() => expect(facts.lastSeen).toBe("never"));
});

it("no longer asks when the user was last seen if the app does not keep it", async () => {
  answer(busy, undefined);
  open();
  await vi.waitFor(() => expect(facts.declared).toEqual(busy));
  expect(facts.lastSeen).toBeUndefined();
  expect(respond).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(PERIOD_MS);
  expect(respond).toHaveBeenCalledTimes(3);
  // Nor of the next user.
  facts.close();
  respond.mockClear();
  open("bob");
  await vi.waitFor(() => expect(facts.declared).toEqual(busy));
  expect(respond).toHaveBeenCalledOnce();
});

it("has one request of each kind under way, however often it is asked to refresh", async () => {
  answer(busy, {});
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  respond.mockImplementation(async (url) => {
    await held;
    return Response.json({ data: url.includes("status") ? busy : {} });
  });
  open();
  for (let i = 0; i < 50; i++) facts.refresh();
  expect(respond).toHaveBeenCalledTimes(2);
  release();
  await vi.waitFor(() => expect(facts.declared).toEqual(busy));
  // Once more, because the answer may be older than the last change.
  await vi.waitFor(() => expect(respond).toHaveBeenCalledTimes(4));
});

it("does not ask while the page is hidden, and not after it is closed", async () => {
  answer(busy, {});
  open();
  await vi.waitFor(() => expect(facts.declared).toEqual(busy));
  page.hidden = true;
  vi.advanceTimersByTime(PERIOD_MS);
  expect(respond).toHaveBeenCalledTimes(2);
  page.hidden = false;
  facts.close();
  vi.advanceTimersByTime(PERIOD_MS);
  facts.refresh();
  expect(respond).toHaveBeenCalledTimes(2);
});

it("keeps what it knows while the gateway does not respond, and stops when it refuses the token", async () => {
  answer(busy, {});
  open();
  await vi.waitFor(() => expect(facts.declared).toEqual(busy));
  respond.mockRejectedValue(new TypeError("failed"));
  vi.advanceTimersByTime(PERIOD_MS);
  await vi.waitFor(() => expect(respond).toHaveBeenCalledTimes(4));
  expect(facts.declared).toEqual(busy);
  respond.mockImplementation(async () => new Response("", { status: 401 }));
  await vi.waitFor(() => {
    vi.advanceTimersByTime(PERIOD_MS);
    expect(vi.getTimerCount()).toBe(0);
  });
  answer({ availability: "available" }, {});
  facts.renew({ token: "d.e.f", appId: "shop" });
  await vi.waitFor(() => expect(facts.declared).toEqual({ availability: "available" }));
});
