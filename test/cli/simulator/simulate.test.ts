import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { simulate } from "../../../src/cli/simulator/simulate.ts";
import { APP, SECRET, TestGateway } from "../../support/gateway.ts";

const CROWD = { users: 3, rate: 1_000, conversations: 2 };
let gateway: TestGateway;
let stop: AbortController;
let output: string;

beforeEach(async () => {
  gateway = await TestGateway.start("ws");
  stop = new AbortController();
  output = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    output += text;
    return true;
  });
});
afterEach(async () => {
  stop.abort();
  vi.restoreAllMocks();
  await gateway.stop();
});

const start = (secret = SECRET) => simulate({ url: gateway.url, appId: APP, secret, token: "" }, CROWD, stop);

test("simulates users until it is stopped, and then ends their sessions", async () => {
  const over = start();
  const { table } = gateway.presence();
  await vi.waitFor(() => expect(table.counts().users).toBe(3));
  for (const userId of ["user-1", "user-2", "user-3"]) {
    const { sessions } = table.user(userId)!;
    const fields = { plan: expect.any(String), page: expect.stringMatching(/^\//) };
    for (const { custom } of sessions) expect(Object.fromEntries(Object.entries(custom))).toEqual(fields);
  }
  stop.abort();
  await over;
  expect(table.counts().users).toBe(0);
  expect(output).toMatch(/^3 users in \d tabs come to http/);
  expect(output).toContain("everybody has left\n");
});

test("a gateway that refuses the secret gets no users", async () => {
  await expect(start("another secret, which is as long as one has to be")).rejects.toThrow(
    "the gateway does not take this secret or token: check APP_ID and APP_SECRET",
  );
  expect(gateway.node.admissions.connections).toBe(0);
  expect(output).toBe("");
});

test("a gateway that later refuses the users ends the simulation with its reason", async () => {
  const { admissions } = gateway.node;
  const fetchStats = fetch;
  // The stats are answered as for the right secret. The tokens of the users have the wrong one.
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const headers = { authorization: `Bearer ${SECRET}` };
    return await fetchStats(input, { ...init, headers });
  });
  await expect(start("another secret, which is as long as one has to be")).rejects.toThrow(
    "the gateway refuses the crowd: no valid token",
  );
  await vi.waitFor(() => expect(admissions.connections).toBe(0));
});
