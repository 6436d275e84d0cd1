import { afterEach, expect, test, vi } from "vitest";
import { readStats } from "../../../src/cli/simulator/stats.ts";

const TARGET = { url: "http://gateway", appId: "my app", secret: "a secret", token: "" };
const respond = vi.fn<typeof fetch>();

afterEach(() => {
  vi.unstubAllGlobals();
  respond.mockReset();
});

function read(response: () => Promise<Response>) {
  respond.mockImplementation(response);
  vi.stubGlobal("fetch", respond);
  return readStats(TARGET);
}

test("requests the figures of the app with its secret", async () => {
  expect(await read(async () => Response.json({ users: 3, typing: 1 }))).toEqual({ users: 3, typing: 1 });
  expect(respond).toHaveBeenCalledExactlyOnceWith(
    "http://gateway/v1/my%20app/stats",
    expect.objectContaining({ headers: { authorization: "Bearer a secret" } }),
  );
});

test.each([
  ["the gateway refuses the request", async () => new Response("{}", { status: 401 })],
  ["the response is not JSON", async () => new Response("<p>")],
  ["the gateway does not respond", () => Promise.reject(new TypeError("failed"))],
])("are undefined if %s", async (_name, response) => {
  expect(await read(response)).toBeUndefined();
});
