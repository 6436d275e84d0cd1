import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { NodePoll } from "../../../src/dashboard/store/node-poll.ts";
import { fakeFrames } from "./fake-frames.ts";

const PERIOD_MS = 5_000;
const respond = vi.fn<(url: string) => Promise<Response>>();
const page = { hidden: false };
let poll: NodePoll;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  vi.stubGlobal("document", page);
  vi.stubGlobal("location", { href: "https://example.com/live/dashboard/" });
  vi.stubGlobal("fetch", respond);
  fakeFrames();
  page.hidden = false;
  respond.mockImplementation(async (url) => Response.json({ url }));
  poll = new NodePoll({ token: "a.b.c", appId: "my app" });
});
afterEach(() => {
  poll.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  respond.mockReset();
});

it("requests the figures of the app and of the node at once", async () => {
  await vi.waitFor(() => expect(poll.health).toBeDefined());
  expect(poll.health).toMatchObject({
    stats: { url: "https://example.com/live/v1/my%20app/stats" },
    node: { url: "https://example.com/live/v1/my%20app/node" },
  });
  expect(respond).toHaveBeenCalledWith(
    "https://example.com/live/v1/my%20app/stats",
    expect.objectContaining({ headers: { authorization: "Bearer a.b.c" } }),
  );
  expect(poll.problem).toBeUndefined();
});

it("does not poll while the page is hidden", async () => {
  await vi.waitFor(() => expect(respond).toHaveBeenCalledTimes(2));
  page.hidden = true;
  vi.advanceTimersByTime(PERIOD_MS);
  expect(respond).toHaveBeenCalledTimes(2);
  page.hidden = false;
  vi.advanceTimersByTime(PERIOD_MS);
  expect(respond).toHaveBeenCalledTimes(4);
});

it.each([
  ["an error status", async () => new Response("", { status: 503 }), "The node responds with status 503."],
  ["a body that is not JSON", async () => new Response("<p>"), "The node responds with status 200."],
  ["no response", () => Promise.reject(new TypeError("failed")), "The node does not respond."],
])("reports %s, keeps the last figures and polls again", async (_name, failure, problem) => {
  await vi.waitFor(() => expect(poll.health).toBeDefined());
  respond.mockImplementation(failure);
  vi.advanceTimersByTime(PERIOD_MS);
  await vi.waitFor(() => expect(poll.problem).toBe(problem));
  expect(poll.health).toBeDefined();
  respond.mockImplementation(async () => Response.json({}));
  vi.advanceTimersByTime(PERIOD_MS);
  await vi.waitFor(() => expect(poll.problem).toBeUndefined());
});

it("stops polling when the node refuses the token", async () => {
  respond.mockImplementation(async () => new Response("", { status: 401 }));
  vi.advanceTimersByTime(PERIOD_MS);
  await vi.waitFor(() => expect(poll.problem).toBe("The node responds with status 401."));
  const { length } = respond.mock.calls;
  vi.advanceTimersByTime(10 * PERIOD_MS);
  expect(respond).toHaveBeenCalledTimes(length);
});

it("polls again with another token", async () => {
  respond.mockImplementation(async () => new Response("", { status: 401 }));
  vi.advanceTimersByTime(PERIOD_MS);
  await vi.waitFor(() => expect(poll.problem).toBe("The node responds with status 401."));
  respond.mockImplementation(async (url) => Response.json({ url }));
  poll.renew({ token: "d.e.f", appId: "my app" });
  await vi.waitFor(() => expect(poll.problem).toBeUndefined());
  expect(respond).toHaveBeenLastCalledWith(
    expect.any(String),
    expect.objectContaining({ headers: { authorization: "Bearer d.e.f" } }),
  );
  const { length } = respond.mock.calls;
  vi.advanceTimersByTime(PERIOD_MS);
  expect(respond).toHaveBeenCalledTimes(length + 2);
});
