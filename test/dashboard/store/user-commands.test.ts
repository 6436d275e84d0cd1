import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  clearStatus,
  endSessions,
  eraseUser,
  setStatus,
} from "../../../src/dashboard/store/user-commands.ts";

const respond = vi.fn<(url: string, init: RequestInit) => Promise<Response>>();
const credentials = { token: "a.b.c", appId: "my app" };
const BASE = "https://example.com/presence/v1/my%20app";

beforeEach(() => {
  vi.stubGlobal("fetch", respond);
  vi.stubGlobal("location", { href: "https://example.com/presence/dashboard/#typing=yes" });
  respond.mockImplementation(async () => Response.json({ ended: 3, erased: true, data: {} }));
});
afterEach(() => {
  vi.unstubAllGlobals();
  respond.mockReset();
});

function expectRequest(method: string, path: string, body?: object): void {
  expect(respond).toHaveBeenCalledOnce();
  const [url, init] = respond.mock.calls[0]!;
  expect([url, init.method]).toEqual([BASE + path, method]);
  expect(init.body === undefined ? undefined : JSON.parse(init.body as string)).toEqual(body);
}

it("ends the sessions of a user, and resolves with their number", async () => {
  expect(await endSessions(credentials, "a/b?c#d")).toBe(3);
  expectRequest("DELETE", "/users/sessions?userId=a%2Fb%3Fc%23d");
});

it("sets the whole status", async () => {
  await setStatus(credentials, "alice", { availability: "busy", text: "x", emoji: "", expiresInMs: 1_000 });
  expectRequest("PUT", "/users/status?userId=alice", {
    availability: "busy",
    text: "x",
    emoji: "",
    expiresInMs: 1_000,
  });
});

it("clears the status", async () => {
  await clearStatus(credentials, "alice");
  expectRequest("DELETE", "/users/status?userId=alice");
});

it("erases a user, and never the app", async () => {
  expect(await eraseUser(credentials, "..")).toBe(3);
  expectRequest("DELETE", "/users?userId=..");
});

it("explains a refusal", async () => {
  respond.mockImplementation(async () => new Response("", { status: 401 }));
  await expect(eraseUser(credentials, "alice")).rejects.toThrow("with status 401");
});
