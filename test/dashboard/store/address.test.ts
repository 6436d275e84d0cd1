import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DEFAULT_STATE } from "../../../src/dashboard/model/dashboard-state.ts";
import {
  gatewayAddress,
  readAddress,
  takeTokenFromAddress,
  writeAddress,
} from "../../../src/dashboard/store/address.ts";

const pushState = vi.fn<(data: unknown, unused: string, url: string) => void>();
const replaceState = vi.fn<(data: unknown, unused: string, url: string) => void>();

beforeEach(() => {
  vi.stubGlobal("history", { pushState, replaceState });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.clearAllMocks();
});

const openPage = (hash: string) =>
  vi.stubGlobal("location", { pathname: "/dashboard/", search: "?a=1", hash });

it("takes the token out of the address and out of the history", () => {
  openPage("#token=a.b.c&typing=yes");
  expect(takeTokenFromAddress()).toBe("a.b.c");
  expect(replaceState).toHaveBeenCalledExactlyOnceWith(null, "", "/dashboard/?a=1#typing=yes");
});

it("leaves an address without a token as it is", () => {
  openPage("#typing=yes");
  expect(takeTokenFromAddress()).toBeUndefined();
  expect(replaceState).not.toHaveBeenCalled();
  expect(readAddress()).toEqual({ ...DEFAULT_STATE, filter: { isTyping: true } });
});

it.each([
  ["http://127.0.0.1:8080/dashboard/#typing=yes", "http://127.0.0.1:8080"],
  ["https://example.com/dashboard/?a=/b/", "https://example.com"],
  ["https://example.com/live/presence/dashboard/", "https://example.com/live/presence"],
])("at %s the gateway is at %s", (href, address) => {
  vi.stubGlobal("location", { href });
  expect(gatewayAddress()).toBe(address);
});

it("adds a history entry for a step only", () => {
  openPage("");
  writeAddress({ ...DEFAULT_STATE, search: "a" }, false);
  expect(replaceState).toHaveBeenCalledExactlyOnceWith(null, "", "/dashboard/?a=1#search=a");
  expect(pushState).not.toHaveBeenCalled();
  writeAddress(DEFAULT_STATE, true);
  expect(pushState).toHaveBeenCalledExactlyOnceWith(null, "", "/dashboard/?a=1");
});
