import { afterEach, describe, expect, it, vi } from "vitest";
import { createClient } from "../../src/client/client.ts";
import { type FakeSocket, fakeSockets } from "../support/fake-socket.ts";
import { holdClock, make, pass, withSession } from "./fake-clock.ts";

holdClock();

describe("a client that is closed", () => {
  it.each<[string, (socket: FakeSocket | undefined) => void]>([
    ["before it connects", () => {}],
    ["while it connects", (socket) => socket?.open()],
    ["while connected", (socket) => socket?.accept()],
    [
      "while its peer is dead",
      (socket) => {
        socket?.accept();
        socket!.answersClose = false;
      },
    ],
    ["after its connection was lost", (socket) => socket?.end(1006)],
    ["after it failed", (socket) => socket?.end(4400)],
  ])("%s leaves nothing, and all that comes later ends with CLOSED", async (_, bring) => {
    const { client, sockets } = make();
    const query = client.query({}).catch((error) => error);
    const session = client.open({ kind: "widget" });
    const subscription = client.subscribe({}, () => {});
    await pass(0);
    bring(sockets[0]);
    const closed = client.close();
    expect(client.status()).toBe("closed");
    expect(session.state).toBe("closed");
    await pass(2_000);
    await closed;
    expect((await query).name).toBe("PresenceError");
    expect(["error", "unsubscribed"]).toContain(subscription.state);
    await pass(200);
    expect(vi.getTimerCount()).toBe(0);
    expect(client.open({ kind: "widget" }).state).toBe("closed");
    await expect(client.query({})).rejects.toMatchObject({ code: "CLOSED" });
    const late = client.subscribe({}, () => {});
    await expect(late.connected).rejects.toMatchObject({ code: "CLOSED" });
    expect(late.state).toBe("unsubscribed");
    await client.close();
    await pass(100_000);
    expect(sockets).toHaveLength(1);
  });

  it("tells the gateway that it means it", async () => {
    const { client, socket } = await withSession();
    await client.close();
    expect(socket.closeCode).toBe(1000);
  });

  it("no longer tells who was taken off the list", async () => {
    const { client } = make();
    const listener = vi.fn();
    const off = client.on("status", listener);
    client.open({ kind: "widget" });
    off();
    await pass(10);
    expect(listener).not.toHaveBeenCalled();
  });
});

describe("the address of the gateway", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  /** Where a client connects to. */
  const urlOf = async (url: string) => {
    const { client, sockets } = make({ url });
    client.open({ kind: "widget" });
    await pass(0);
    return sockets[0]!.url;
  };

  it.each([
    ["http://gateway", "ws://gateway"],
    ["https://gateway/", "wss://gateway"],
    ["HTTP://gateway:8443/base//?a=b#c", "ws://gateway:8443/base"],
    ["ws://[::1]:8080/a/b", "ws://[::1]:8080/a/b"],
    ["wss://gateway?a=/", "wss://gateway"],
  ])("%s is %s", async (url, root) => {
    // With a part of `URL` only, as React Native has it.
    vi.stubGlobal("URL", class {});
    expect(await urlOf(url)).toBe(`${root}/v1/an%20app/realtime`);
  });

  it.each([
    ["/presence", "wss://site/presence"],
    ["presence/", "wss://site/deep/presence"],
    ["..", "wss://site"],
    ["//other", "wss://other"],
    ["http://other/base", "ws://other/base"],
  ])("%s in a page is %s", async (url, root) => {
    vi.stubGlobal("document", { baseURI: "https://site/deep/page?q#h" });
    vi.stubGlobal("addEventListener", () => {});
    expect(await urlOf(url)).toBe(`${root}/v1/an%20app/realtime`);
  });

  it("is relative to its script in a worker", async () => {
    vi.stubGlobal("location", { href: "https://site/scripts/worker.js" });
    expect(await urlOf("/presence")).toBe("wss://site/presence/v1/an%20app/realtime");
  });

  it.each([
    "ftp://gateway",
    "gateway:8080",
    "http:/gateway",
    "http://",
    "http:///",
    "file:///a",
    "javascript:1",
  ])("%s is none", (url) => {
    const options = { url, appId: "app", token: "t", WebSocket: fakeSockets().WebSocket };
    expect(() => createClient(options)).toThrow(TypeError);
  });

  it.each(["/presence", "file:///app/index.html"])("%s is none in a page without a host", (url) => {
    vi.stubGlobal("document", { baseURI: "file:///app/index.html" });
    expect(() => createClient({ url, appId: "app", token: "t" })).toThrow("bad url");
  });
});

describe("where nothing can connect", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  /** What a client tells that has a need. */
  const failure = async (url: string) => {
    const client = createClient({ url, appId: "app", token: "t" });
    expect(client.status()).toBe("idle");
    const told: unknown[] = [];
    client.on("status", (status, { error }) => told.push([status, error?.message]));
    const onEnd = vi.fn();
    client.open({ kind: "widget", onEnd });
    const query = client.query({}).catch(({ code }) => code);
    await pass(0);
    expect(client.status()).toBe("failed");
    expect([await query, onEnd.mock.calls[0]?.[0].cause]).toEqual(["DISCONNECTED", "error"]);
    await client.close();
    expect(vi.getTimerCount()).toBe(0);
    return told[1];
  };

  it("a client is made, and says what it misses when it is needed", async () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(await failure("http://gateway")).toEqual(["failed", expect.stringMatching(/pass .*\bws\b/)]);
  });

  it("a relative address is made, and said when it is needed", async () => {
    vi.stubGlobal(
      "WebSocket",
      class {
        constructor(url: string) {
          // As the one of Node does.
          new URL(url);
        }
      },
    );
    expect(await failure("/presence")).toEqual(["failed", expect.stringContaining("Invalid URL")]);
  });

  it("finds the WebSocket that is there when it is needed", async () => {
    vi.stubGlobal("WebSocket", undefined);
    const client = createClient({ url: "http://gateway", appId: "app", token: "t" });
    const { WebSocket, sockets } = fakeSockets();
    vi.stubGlobal("WebSocket", WebSocket);
    client.open({ kind: "widget" });
    await pass(0);
    sockets[0]!.accept();
    expect(client.status()).toBe("connected");
    await client.close();
  });
});
