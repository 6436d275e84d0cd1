import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { endSessions } from "../../../src/dashboard/store/end-sessions.ts";

const respond = vi.fn<(url: string, init: RequestInit) => Promise<Response>>();
const credentials = { token: "a.b.c", appId: "my app" };

beforeEach(() => {
  vi.stubGlobal("fetch", respond);
  vi.stubGlobal("location", { href: "https://example.com/presence/dashboard/#typing=yes" });
});
afterEach(() => {
  vi.unstubAllGlobals();
  respond.mockReset();
});

it("asks the gateway to end them, and resolves with their number", async () => {
  respond.mockResolvedValue(Response.json({ ended: 3 }));
  expect(await endSessions(credentials, "a/b?c#d")).toBe(3);
  expect(respond).toHaveBeenCalledExactlyOnceWith(
    "https://example.com/presence/v1/my%20app/users/a%2Fb%3Fc%23d/sessions",
    expect.objectContaining({ method: "DELETE", headers: { authorization: "Bearer a.b.c" } }),
  );
});

it.each([
  ["a refusal", async () => new Response("", { status: 401 }), "with status 401"],
  ["no response", () => Promise.reject(new TypeError("failed")), "does not respond"],
])("explains %s", async (_name, failure, message) => {
  respond.mockImplementation(failure);
  await expect(endSessions(credentials, "alice")).rejects.toThrow(message);
});
