import { afterEach, beforeEach, expect, vi } from "vitest";
import { createClient } from "../../src/client/index.ts";
import type { ClientOptions, PresenceClient, StatusDetail } from "../../src/client/types.ts";
import { type FakeSocket, fakeSockets } from "../support/fake-socket.ts";

let sleptMs = 0;
let clients: PresenceClient[] = [];

/**
 * The clock is the test's, and the network a fake: for a suite that calls it, what takes minutes takes no
 * time.
 */
export function holdClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    sleptMs = 0;
    clients = [];
    const now = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => now() + sleptMs);
  });

  afterEach(async () => {
    for (const client of clients) {
      const closed = client.close();
      await pass(2_100);
      await closed;
    }
    // Whatever it went through, nothing of a closed client is left.
    expect(vi.getTimerCount()).toBe(0);
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
}

export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** The machine sleeps: time passes, and no timer fires. */
export const sleep = (ms: number) => {
  sleptMs += ms;
};

export function make(options: Partial<ClientOptions> = {}, onMade?: (socket: FakeSocket) => void) {
  const { sockets, WebSocket } = fakeSockets(onMade);
  const client = createClient({
    url: "http://gateway/base/",
    appId: "an app",
    token: "token",
    WebSocket,
    ...options,
  });
  clients.push(client);
  const told: [string, StatusDetail][] = [];
  client.on("status", (status, detail) => told.push([status, detail]));
  return { client, sockets, told };
}

/** A client with an open session. */
export async function withSession(options: Partial<ClientOptions> = {}) {
  const made = make(options);
  const session = made.client.open({ kind: "widget" });
  await pass(0);
  const socket = made.sockets[0]!;
  socket.accept();
  socket.opened();
  await pass(100);
  return {
    ...made,
    session,
    socket,
    updates: () => socket.sent.filter(({ message }) => message.type === "update"),
  };
}
