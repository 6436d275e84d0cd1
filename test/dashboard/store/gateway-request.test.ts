import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { GatewayRequestError, requestGateway } from "../../../src/dashboard/store/gateway-request.ts";

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

it("sends a body as JSON, and any user id in the query", async () => {
  respond.mockResolvedValue(Response.json({ data: 1 }));
  const request = { method: "PUT", path: "users/status", userId: "../a&b", body: { text: "x" } } as const;
  expect(await requestGateway(credentials, request)).toEqual({ data: 1 });
  expect(respond).toHaveBeenCalledExactlyOnceWith(
    "https://example.com/presence/v1/my%20app/users/status?userId=..%2Fa%26b",
    expect.objectContaining({
      method: "PUT",
      headers: { authorization: "Bearer a.b.c", "content-type": "application/json" },
      body: '{"text":"x"}',
    }),
  );
});

it.each([
  [
    "a refusal",
    async () => Response.json({ reasons: { text: ["is too long"], emoji: ["is bad"] } }, { status: 400 }),
    "The gateway refuses, with status 400: text is too long; emoji is bad.",
    400,
  ],
  [
    "a refusal without JSON",
    async () => new Response("", { status: 401 }),
    "The gateway refuses, with status 401.",
    401,
  ],
  [
    "no response",
    () => Promise.reject(new TypeError("failed")),
    "The gateway does not respond. It may have done it.",
    undefined,
  ],
  [
    "a response of something else",
    async () => new Response("<p>"),
    "The gateway does not respond. It may have done it.",
    undefined,
  ],
])("explains %s", async (_name, failure, message, status) => {
  respond.mockImplementation(failure);
  const request = requestGateway(credentials, { method: "GET", path: "stats" });
  await expect(request).rejects.toThrow(GatewayRequestError);
  await expect(request).rejects.toMatchObject({ message, status });
});
