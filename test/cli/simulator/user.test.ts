import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Pacer } from "../../../src/cli/simulator/pacer.ts";
import { SimulatedUser } from "../../../src/cli/simulator/user.ts";

/** Lets no tab connect, so that the test needs no gateway. */
class ClosedGate extends Pacer {
  override async wait(): Promise<void> {
    await new Promise(() => {});
  }
}

const CONVERSATIONS = Array.from({ length: 10 }, (_, i) => `conversation-${i}`);
let stop: AbortController;
let lives: Promise<void>[];

beforeEach(() => {
  stop = new AbortController();
  lives = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(lives);
  vi.restoreAllMocks();
});

/** From now on, every decision of a user falls on this part of its range. */
function roll(dice: number): void {
  vi.spyOn(Math, "random").mockReturnValue(dice);
}

function start(): SimulatedUser {
  const user = new SimulatedUser({
    url: "ws://127.0.0.1:1",
    token: "a.b.c",
    pacer: new ClosedGate(1),
    signal: stop.signal,
    onRefused: () => {},
    localAddress: undefined,
    conversations: CONVERSATIONS,
  });
  lives.push(user.live());
  return user;
}

describe("a user", () => {
  test("may have a page without a widget only, and then looks at no conversation", () => {
    roll(0.95);
    const { tabs } = start();
    expect(tabs.map((tab) => tab.hasWidget)).toEqual([false]);
    expect(tabs[0]!.widget).toEqual({ selectedConversationId: null, hasFocus: false, isTyping: false });
  });

  test("looks at one of the conversations", () => {
    roll(0.5);
    const { tabs } = start();
    expect(tabs.map((tab) => tab.widget)).toEqual([
      { selectedConversationId: "conversation-5", hasFocus: true, isTyping: false },
    ]);
  });

  test("ends with the signal", async () => {
    roll(0.5);
    start();
    stop.abort();
    await expect(Promise.all(lives)).resolves.toEqual([undefined]);
  });
});

// A user with the lowest dice has two tabs and acts after a second.
test.each([
  ["looks away", 0.1, [{ hasFocus: false, selectedConversationId: "conversation-0" }, { hasFocus: false }]],
  ["changes tabs", 0.22, [{ hasFocus: false }, { hasFocus: true, selectedConversationId: "conversation-2" }]],
  ["changes the conversation", 0.3, [{ hasFocus: true, selectedConversationId: "conversation-3" }, {}]],
  ["types", 0.5, [{ hasFocus: true, isTyping: true, selectedConversationId: "conversation-0" }, {}]],
])("a user %s", async (_name, dice, widgets) => {
  roll(0);
  const { tabs } = start();
  expect(tabs.map((tab) => tab.hasWidget)).toEqual([true, true]);
  roll(dice);
  await vi.waitFor(() => expect(tabs.map((tab) => tab.widget)).toMatchObject(widgets));
});
