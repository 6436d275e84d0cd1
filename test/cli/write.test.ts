import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StubApi } from "../support/stub-api.ts";
import { ProgramRun } from "./program-run.ts";

let api: StubApi;
let run: ProgramRun;
let warnings: string;

beforeEach(async () => {
  api = await StubApi.start();
  warnings = "";
});
afterEach(async () => {
  run.restore();
  await api.stop();
});

function write(...args: readonly string[]): ProgramRun {
  run = new ProgramRun(["write", ...args, ...api.options]);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    warnings += text;
    return true;
  });
  return run;
}

/** The first write opens the session. */
function answerWrites(): void {
  let isOpen = false;
  api.answer = ({ method }) => {
    const created = !isOpen;
    isOpen = method === "PUT";
    return { body: method === "PUT" ? { data: { sessionId: "s1", created } } : { ended: 1 } };
  };
}

test("writes all fields of the session again and again, until it is asked to end, and ends it", async () => {
  answerWrites();
  write(
    ...["bot", "-c", "c1", "--focused", "--typing", "--idle", "--custom", "a=b", "c=d", "--key", "shell"],
    ...["--ttl", "1s"],
  );
  await vi.waitFor(() => expect(api.requests.length).toBeGreaterThanOrEqual(2));
  run.signal("SIGINT");
  await run.over;
  expect(run.exitCode).toBe(0);
  const [first, ...others] = api.requests;
  expect(first).toMatchObject({ method: "PUT", url: "/v1/shop/users/sessions?userId=bot&key=shell" });
  expect(first!.body).toEqual({
    visible: true,
    selectedConversationId: "c1",
    hasFocus: true,
    isTyping: true,
    isIdle: true,
    custom: { a: "b", c: "d" },
    ttlMs: 1_000,
  });
  expect(others[0]!.body).toEqual(first!.body);
  expect(api.requests.at(-1)).toMatchObject({ method: "DELETE", url: first!.url, body: undefined });
  expect(run.lines).toEqual(["bot is there, session s1", "bot is no longer there"]);
});

test("--once leaves the session to its time to live", async () => {
  answerWrites();
  await write("bot", "--once", "--kind", "background", "--hidden").over;
  expect(run.exitCode).toBe(0);
  expect(api.requests).toHaveLength(1);
  expect(api.requests[0]!.body).toEqual({
    kind: "background",
    visible: false,
    selectedConversationId: null,
    hasFocus: false,
    isTyping: false,
    isIdle: false,
    ttlMs: 60_000,
  });
});

test("a node that goes down for a while ends nothing", async () => {
  answerWrites();
  const { answer } = api;
  write("bot", "--ttl", "1s");
  await vi.waitFor(() => expect(run.lines).toHaveLength(1));
  api.answer = () => ({ status: 503, body: { errorCode: "UNAVAILABLE" } });
  await vi.waitFor(() => expect(warnings).toContain("(UNAVAILABLE, 503); trying again\n"));
  api.answer = answer;
  await vi.waitFor(() => expect(warnings).toContain("the gateway answers again\n"));
  run.signal("SIGTERM");
  await run.over;
  expect(run.exitCode).toBe(0);
});

test("says when the session ends if the gateway cannot be told", async () => {
  answerWrites();
  write("bot");
  await vi.waitFor(() => expect(run.lines).toHaveLength(1));
  api.answer = () => ({ status: 503, body: {} });
  run.signal("SIGINT");
  await expect(run.over).rejects.toThrow("the session ends within 60 s");
});

test("fails at once if the first write does", async () => {
  api.answer = () => ({
    status: 429,
    body: { errorCode: "LIMIT_REACHED", reasons: { sessions: ["too many"] } },
  });
  await expect(write("bot").over).rejects.toThrow("sessions: too many (LIMIT_REACHED, 429)");
  expect(api.requests).toHaveLength(1);
});

test.each([
  [["bot", "--key", "a b"], "1 to 64 of A-Z"],
  [["bot", "--ttl", "2h"], "at most 1h"],
  [["bot", "--kind", "page"], "Allowed choices are widget, background"],
  [["bot", "--custom", "a"], "plan=gold"],
])("%j is wrong usage", async (args, message) => {
  await expect(write(...args).over).rejects.toThrow(message);
});
