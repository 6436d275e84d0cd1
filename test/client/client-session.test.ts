import { describe, expect, it, vi } from "vitest";
import { holdClock, pass, withSession } from "./fake-clock.ts";

holdClock();

describe("what a session says", () => {
  it("while typing: at most one message every 4 s, and that it ended 5 s after the last key", async () => {
    const { session, updates } = await withSession();
    for (let i = 0; i < 130; i++) {
      session.typing();
      await pass(100);
    }
    expect(updates().map(({ message }) => message.isTyping)).toEqual([true, true, true, true]);
    const times = updates().map(({ at }) => at);
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(3_990);
    await pass(4_800);
    expect(updates()).toHaveLength(4);
    await pass(300);
    expect(updates().at(-1)!.message).toEqual({ type: "update", sessionId: "session", isTyping: false });
    await pass(60_000);
    expect(updates()).toHaveLength(5);
  });

  it("after stopTyping, select and close: typing has ended once, and nothing comes later", async () => {
    const { session, updates } = await withSession();
    session.typing();
    await pass(60);
    session.stopTyping();
    session.stopTyping();
    await pass(60);
    expect(updates().map(({ message }) => message.isTyping)).toEqual([true, false]);
    session.typing();
    await pass(60);
    session.select("c1");
    await pass(60);
    expect(updates().at(-1)!.message).toMatchObject({ isTyping: false, selectedConversationId: "c1" });
    session.typing();
    await pass(60);
    expect(updates().at(-1)!.message).toMatchObject({ isTyping: true });
    const count = updates().length;
    session.close();
    session.typing();
    session.set({ hasFocus: true });
    session.stopTyping();
    await pass(20_000);
    expect(updates()).toHaveLength(count);
  });

  it("while typing over a reconnect: what is true by then", async () => {
    const { session, socket, sockets } = await withSession();
    session.typing();
    await pass(60);
    socket.end(1006);
    await pass(1_000);
    sockets[1]!.accept();
    expect(sockets[1]!.messages("open")).toMatchObject([{ sessionId: "session", isTyping: true }]);
    sockets[1]!.end(1006);
    await pass(6_000);
    sockets[2]!.accept();
    expect(sockets[2]!.messages("open")).toMatchObject([{ sessionId: "session", isTyping: false }]);
  });

  it("in one turn: one update, the last of each", async () => {
    const { session, updates } = await withSession();
    for (let i = 0; i < 1_000; i++)
      session.set({ selectedConversationId: `c${i}`, custom: { [`k${i % 3}`]: `${i}` } });
    await pass(1_000);
    expect(updates().map(({ message }) => message)).toEqual([
      {
        type: "update",
        sessionId: "session",
        selectedConversationId: "c999",
        custom: { k0: "999", k1: "997", k2: "998" },
      },
    ]);
  });

  it("in a second of changes without end: at most 20 updates, and the last state", async () => {
    const { session, updates } = await withSession();
    for (let i = 0; i < 1_000; i++) {
      // To clear and to set takes two messages: they count.
      session.set({ custom: null });
      session.set({ custom: { a: `${i}` } });
      await pass(1);
    }
    expect(updates().length).toBeLessThanOrEqual(21);
    await pass(200);
    expect(updates().at(-1)!.message.custom).toEqual({ a: "999" });
    const count = updates().length;
    await pass(10_000);
    expect(updates()).toHaveLength(count);
  });

  it("to a socket that takes nothing: waits, and becomes one message", async () => {
    const { session, socket, updates } = await withSession();
    socket.bufferedAmount = 1_000_000;
    for (let i = 0; i < 100; i++) {
      session.set({ selectedConversationId: `c${i}` });
      await pass(50);
    }
    expect(updates()).toHaveLength(0);
    socket.bufferedAmount = 0;
    await pass(60);
    expect(updates().map(({ message }) => message.selectedConversationId)).toEqual(["c99"]);
  });

  it("that came too fast: waits, and says all of it again once, however often it is told so", async () => {
    const { session, socket, updates } = await withSession();
    session.set({ selectedConversationId: "c1", custom: { a: "1" } });
    await pass(60);
    for (let i = 0; i < 10_000; i++)
      socket.say({ type: "error", code: "RATE_LIMITED", message: "", retryAfterMs: 0 });
    session.set({ hasFocus: true });
    expect(vi.getTimerCount()).toBeLessThan(5);
    await pass(2_100);
    expect(
      updates()
        .slice(1)
        .map(({ message }) => message),
    ).toEqual([
      {
        type: "update",
        sessionId: "session",
        selectedConversationId: "c1",
        hasFocus: true,
        custom: { a: "1" },
      },
    ]);
    await pass(10_000);
    expect(updates()).toHaveLength(2);
  });
});

describe("a session that is closed", () => {
  it("before it is open is closed when it is, and before its message has gone out is never opened", async () => {
    const { client, socket } = await withSession();
    client.open({ kind: "background" }).close();
    socket.opened("second");
    expect(socket.messages("close")).toMatchObject([{ sessionId: "second" }]);
    const refused = client.open({ kind: "background" });
    const { id } = socket.messages("open").at(-1);
    socket.say({ type: "error", id, code: "LIMIT_REACHED", message: "full" });
    refused.close();
    await pass(60_000);
    expect(socket.messages("open")).toHaveLength(3);
  });

  it("while there is no connection, or just before it was lost, is taken over and closed at once", async () => {
    for (const isKnown of [false, true]) {
      const { session, socket, sockets } = await withSession();
      const { sessionId: name } = socket.messages("open")[0];
      if (isKnown) session.close();
      socket.end(1006);
      session.close();
      await pass(1_000);
      sockets[1]!.accept();
      // The gateway may have closed it already: by the name it opens no other session.
      const sessionId = isKnown ? name : "session";
      expect(sockets[1]!.sent.slice(1).map(({ message }) => message)).toMatchObject([
        { type: "open", kind: "widget", sessionId },
        { type: "close", sessionId },
      ]);
      // Too late for a takeover: what was opened instead is closed as well.
      sockets[1]!.opened("another");
      const { id } = sockets[1]!.messages("close").at(-1);
      sockets[1]!.say({ type: "error", id, code: "NOT_FOUND", message: "" });
      expect(sockets[1]!.messages("close").at(-1)).toMatchObject({ sessionId: "another" });
    }
  });

  it("whose id never came has a name, by which it is found and closed on the next connection", async () => {
    for (const isClosedAfter of [false, true]) {
      const { client, socket, sockets } = await withSession();
      const session = client.open({ kind: "background" });
      const { sessionId } = socket.messages("open").at(-1);
      expect(sessionId).toMatch(/^new:/);
      if (!isClosedAfter) session.close();
      socket.end(1006);
      session.close();
      await pass(1_000);
      sockets[1]!.accept();
      const [, open, close] = sockets[1]!.sent.map(({ message }) => message);
      expect([open, close]).toMatchObject([
        { type: "open", kind: "background", sessionId },
        { type: "close", sessionId },
      ]);
      sockets[1]!.say({ type: "opened", id: open.id, sessionId: "made", resumed: true });
      sockets[1]!.say({ type: "closed", id: close.id, sessionId: "made", cause: "closed" });
      expect(sockets[1]!.messages("close")).toHaveLength(1);
      sockets[1]!.end(1006);
      await pass(3_000);
      sockets[2]!.accept();
      expect(sockets[2]!.messages("open")).toMatchObject([{ kind: "widget" }]);
    }
  });

  it("leaves no other session behind, however often the answers are lost", async () => {
    const { session, socket, sockets } = await withSession();
    const { sessionId: name } = socket.messages("open")[0];
    session.close();
    for (let lost = 1; lost <= 3; lost++) {
      sockets[lost - 1]!.end(1006);
      await pass(1_000 * 2 ** lost);
      sockets[lost]!.accept();
      const messages = sockets[lost]!.sent.slice(1).map(({ message }) => message);
      expect(messages).toMatchObject([
        { type: "open", sessionId: name },
        { type: "close", sessionId: name },
      ]);
      // Of the last but one connection the answer to `open` still comes.
      if (lost === 2) sockets[lost]!.say({ type: "opened", id: messages[0].id, sessionId: "session" });
    }
  });

  it("has another name each time that it is opened anew", async () => {
    const { client, socket } = await withSession();
    client.open({ kind: "background" });
    const [, named] = socket.messages("open");
    socket.say({ type: "opened", id: named.id, sessionId: "made", resumed: false });
    socket.say({ type: "closed", sessionId: "made", cause: "replaced" });
    await pass(2_100);
    const again = socket.messages("open").at(-1);
    expect(again.sessionId).toMatch(/^new:/);
    expect(again.sessionId).not.toBe(named.sessionId);
  });

  it("is told again if the message came too fast", async () => {
    const { session, socket } = await withSession();
    session.close();
    const [asked] = socket.messages("close");
    socket.say({ type: "error", id: asked.id, code: "RATE_LIMITED", message: "" });
    await pass(2_100);
    expect(socket.messages("close")).toEqual([asked, asked]);
  });
});

describe("a session for which there is no room", () => {
  it("is opened when there is, as long as it is wanted, and the app is told", async () => {
    const { client, socket } = await withSession();
    const errors: string[] = [];
    client.on("error", ({ code }) => errors.push(code));
    const session = client.open({ kind: "background" });
    const { id } = socket.messages("open").at(-1);
    for (let i = 0; i < 3; i++) {
      socket.say({ type: "error", id, code: "LIMIT_REACHED", message: "full" });
      await pass(2_000 * 2 ** i + 10);
    }
    expect(errors).toEqual(["LIMIT_REACHED", "LIMIT_REACHED", "LIMIT_REACHED"]);
    expect(socket.messages("open")).toHaveLength(5);
    socket.opened("second");
    expect(session.state).toBe("open");
  });
});
