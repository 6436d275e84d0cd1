import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pacer } from "../../../src/cli/simulator/pacer.ts";
import { Tab } from "../../../src/cli/simulator/tab.ts";
import type { Session } from "../../../src/core/sessions/session.ts";
import { APP, TestGateway } from "../../support/gateway.ts";

let gateway: TestGateway;
let stop: AbortController;
const onRefused = vi.fn<(reason: string) => void>();

beforeEach(async () => {
  gateway = await TestGateway.start("ws");
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await gateway.stop();
  onRefused.mockClear();
});

async function open(secret?: string): Promise<{ tab: Tab; over: Promise<void> }> {
  const url = `ws://127.0.0.1:${gateway.gateway.port}/v1/${APP}/realtime`;
  const token = await gateway.token({ tokenType: "user", sub: "alice" }, undefined, APP, secret);
  const { signal } = stop;
  const tab = new Tab({
    url,
    token,
    pacer: new Pacer(1_000),
    hasWidget: true,
    custom: { plan: "team" },
    signal,
    onRefused,
    localAddress: undefined,
  });
  return { tab, over: tab.stay() };
}

function sessions() {
  return gateway.presence().table.user("alice")?.sessions ?? [];
}

test("a tab opens its sessions, and resumes them unchanged after it lost its socket", async () => {
  const { tab } = await open();
  tab.update({ selectedConversationId: "room", hasFocus: true });
  await vi.waitFor(() => expect(tab.isConnected).toBe(true));
  const before = sessions().map(rowOf);
  expect(before).toMatchObject([
    { kind: "background", custom: { plan: "team" } },
    { kind: "widget", custom: { plan: "team" }, selectedConversationId: "room", hasFocus: true },
  ]);

  tab.drop();
  expect(tab.isConnected).toBe(false);
  await vi.waitFor(() => expect(tab.isConnected).toBe(true));
  expect(sessions().map(rowOf)).toEqual(before);
});

test("a closed tab ends its sessions at once and does not reconnect", async () => {
  const { tab, over } = await open();
  await vi.waitFor(() => expect(tab.isConnected).toBe(true));
  tab.leave();
  await over;
  await vi.waitFor(() => expect(sessions()).toEqual([]));
});

test("a tab with an invalid token reports it and does not retry", async () => {
  const { over } = await open("another secret");
  await over;
  expect(onRefused).toHaveBeenCalledExactlyOnceWith("no valid token");
});

function rowOf(session: Session) {
  const { sessionId, kind, visible, selectedConversationId, hasFocus, isTyping, custom } = session;
  return { sessionId, kind, visible, selectedConversationId, hasFocus, isTyping, custom };
}
