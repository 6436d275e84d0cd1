import { afterEach, describe, expect, it, vi } from "vitest";
import type { Connection } from "../../src/client/connection.ts";
import { PresenceError } from "../../src/client/errors.ts";
import { createSessions } from "../../src/client/sessions.ts";
import type { OpenOptions, SessionEnd } from "../../src/client/types.ts";
import { fakeRequests } from "../support/sdk.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** A page; `stored` is what the tab keeps from one page to the next. */
function page(stored = new Map<string, string>()) {
  vi.stubGlobal("document", {});
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  });
  return { stored, ...client() };
}

/** One more client of the page. */
function client(url = "ws://gateway/v1/app/realtime") {
  const connection = {
    isConnected: () => true,
    isCongested: () => false,
    resumeWindowMs: () => 15_000,
    send() {},
  };
  const { sent, requests } = fakeRequests({ withdraw: () => false });
  const sessions = createSessions(url, connection as unknown as Connection, requests);
  /** Opens one, and the gateway gives it an id unless it has one. */
  const open = (options: OpenOptions, id: string) => {
    const session = sessions.open(options);
    const { message } = sent.at(-1)!;
    const asked = message.type === "open" ? message.sessionId : undefined;
    const sessionId = asked && !asked.startsWith("new:") ? asked : id;
    sent.at(-1)!.answered({ type: "opened", id: 1, sessionId, resumed: false });
    return session;
  };
  const messages = () => sent.map(({ message }) => message);
  return { sessions, sent, connection, messages, open };
}

describe("the sessions of a client", () => {
  it("are found by the next page: by number for each kind, or by key", () => {
    const first = page();
    first.open({ kind: "widget" }, "w0");
    first.open({ kind: "widget" }, "w1");
    first.open({ kind: "background" }, "b0");
    first.open({ kind: "widget", key: "mine" }, "m");
    expect(first.stored.size).toBe(0);
    first.sessions.stash();
    expect(first.stored.size).toBe(4);
    const second = page(first.stored);
    expect(second.open({ kind: "widget", key: "mine" }, "new").id).toBe("m");
    expect(second.open({ kind: "background" }, "new").id).toBe("b0");
    expect(second.open({ kind: "widget" }, "new").id).toBe("w0");
    expect(second.open({ kind: "widget" }, "new").id).toBe("w1");
    expect(second.open({ kind: "widget" }, "new").id).toBe("new");
    expect(second.stored.size).toBe(0);
  });

  it("are found by the same client of the next page, and by no other", () => {
    const kinds: OpenOptions[] = [
      { kind: "widget" },
      { kind: "widget", key: "mine" },
      { kind: "background" },
    ];
    const names = ["a", "b", "c"];
    const other = "ws://gateway/v1/other/realtime";
    const first = page();
    const clients = [first, client(), client()];
    const idsOf = (name: string) => kinds.map((_, i) => `${name}${i}`);
    for (const [i, each] of clients.entries()) {
      for (const [k, kind] of kinds.entries()) each.open(kind, idsOf(names[i]!)[k]!);
    }
    client(other).open({ kind: "widget" }, "elsewhere");
    for (const { sessions } of clients) sessions.stash();
    expect(first.stored.size).toBe(9);
    const second = page(first.stored);
    // Of another app, so it has no part in the order.
    expect(client(other).open({ kind: "widget" }, "new").id).toBe("new");
    for (const [i, each] of [second, client(), client(), client()].entries()) {
      const found = kinds.map((kind) => each.open(kind, "new").id);
      expect(found).toEqual(i < 3 ? idsOf(names[i]!) : ["new", "new", "new"]);
    }
    expect(first.stored.size).toBe(0);
  });

  it("are there again for each client of a page that is back", () => {
    const first = page();
    const clients = [first, client(), client()];
    for (const [i, each] of clients.entries()) each.open({ kind: "widget" }, `w${i}`);
    for (const { sessions } of clients) sessions.stash();
    for (const { sessions, sent } of clients) {
      sessions.lost();
      sessions.unstash();
      sessions.request();
      expect(sent.at(-1)!.message).toMatchObject({
        sessionId: `w${clients.findIndex((c) => c.sent === sent)}`,
      });
    }
    expect(first.stored.size).toBe(0);
  });

  it("leave their place to the next client when they end", () => {
    const first = page();
    first.open({ kind: "widget" }, "a");
    first.sessions.end(new PresenceError("CLOSED", "closed"));
    const next = client();
    next.open({ kind: "widget" }, "b");
    first.open({ kind: "widget" }, "c");
    for (const { sessions } of [first, next]) sessions.stash();
    expect([...page(first.stored).stored.values()].sort()).toEqual(["b", "c"]);
    expect([client(), client()].map((each) => each.open({ kind: "widget" }, "new").id)).toEqual(["b", "c"]);
  });

  it("are not those that something else in the page has stored", () => {
    const first = page();
    first.open({ kind: "widget" }, "w0");
    first.sessions.stash();
    for (const key of first.stored.keys()) first.stored.set(key, "\u0000");
    expect(page(first.stored).open({ kind: "widget" }, "new").id).toBe("new");
  });

  it("have a key each", () => {
    const { sessions, open } = page();
    const session = open({ kind: "widget", key: "mine" }, "m");
    expect(() => sessions.open({ kind: "widget", key: "mine" })).toThrow(TypeError);
    session.close();
    expect(() => sessions.open({ kind: "widget", key: "mine" })).not.toThrow();
  });

  it("end when they are kicked, and go on as others when they are taken over", () => {
    vi.useFakeTimers();
    const { sessions, sent, open } = page();
    const ends: SessionEnd[] = [];
    const onEnd = (end: SessionEnd) => ends.push(end);
    const kicked = open({ kind: "widget", onEnd }, "k");
    const replaced = open({ kind: "widget", onEnd }, "r");
    sessions.receive({ type: "closed", sessionId: "k", cause: "kicked" });
    sessions.receive({ type: "closed", sessionId: "r", cause: "replaced" });
    sessions.receive({ type: "closed", sessionId: "unknown", cause: "kicked" });
    expect([kicked.state, replaced.state]).toEqual(["closed", "pending"]);
    vi.advanceTimersByTime(2_000);
    vi.useRealTimers();
    expect(sent.at(-1)!.message).toMatchObject({ type: "open", sessionId: expect.stringMatching(/^new:/) });
    return expect.poll(() => ends).toEqual([{ cause: "kicked" }]);
  });

  it("are closed at the gateway when the client is closed, and told when it has failed", async () => {
    const first = page();
    first.open({ kind: "widget" }, "w0");
    first.sessions.end(new PresenceError("CLOSED", "closed"));
    expect(first.messages().at(-1)).toEqual({ type: "close", sessionId: "w0" });
    // Until the answer has come, the gateway may not know.
    expect(first.sessions.isWanted).toBe(true);
    first.sent.at(-1)!.answered({ type: "closed", id: 2, sessionId: "w0", cause: "closed" });
    expect(first.sessions.isWanted).toBe(false);
    const second = page();
    const onEnd = vi.fn();
    second.open({ kind: "widget", onEnd }, "w0");
    const error = new PresenceError("TOKEN", "none");
    second.sessions.end(error);
    await undefined;
    expect(onEnd).toHaveBeenCalledExactlyOnceWith({ cause: "error", error });
    expect(second.messages()).toHaveLength(1);
  });

  it("that are closed while there is no connection are told first of all on the next", () => {
    const { sessions, messages, connection, open } = page();
    const closed = open({ kind: "widget", userId: "u" }, "w0");
    open({ kind: "widget" }, "w1");
    connection.isConnected = () => false;
    sessions.lost();
    closed.close();
    connection.isConnected = () => true;
    sessions.request();
    expect(messages().slice(2)).toMatchObject([
      { type: "open", kind: "widget", userId: "u", sessionId: "w0" },
      { type: "close", sessionId: "w0" },
      { type: "open", sessionId: "w1" },
    ]);
  });

  it("that are closed are not taken over when the gateway has ended them by itself", () => {
    vi.useFakeTimers();
    const { sessions, messages, connection, open } = page();
    const closed = open({ kind: "widget" }, "w0");
    connection.isConnected = () => false;
    sessions.lost();
    closed.close();
    expect(sessions.isWanted).toBe(true);
    vi.advanceTimersByTime(15_001);
    expect(sessions.isWanted).toBe(false);
    connection.isConnected = () => true;
    sessions.request();
    expect(messages()).toHaveLength(1);
    vi.useRealTimers();
  });
});
