import { once } from "node:events";
import { totalmem } from "node:os";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { APP, SECRET, TestGateway, type TestGatewayOptions } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("admission over %s", (transport) => {
  let gateway: TestGateway;

  afterEach(async () => {
    vi.restoreAllMocks();
    await gateway.stop();
  });

  async function start(env: Record<string, string>, options: TestGatewayOptions = {}): Promise<void> {
    gateway = await TestGateway.start(transport, { ...options, env });
  }

  /** The status, and Retry-After, of a refused upgrade; or 101 and the socket. */
  async function upgrade(headers: Record<string, string | string[]> = {}) {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.gateway.port}/v1/${APP}/realtime`, {
      headers: headers as Record<string, string>,
    });
    socket.on("error", () => {});
    return await new Promise<{
      status: number;
      retryAfter?: string | undefined;
      body?: string;
      socket: WebSocket;
    }>((resolve) => {
      socket.on("open", () => resolve({ status: 101, socket }));
      socket.on("unexpected-response", (_request, response) => {
        let body = "";
        response.on("data", (chunk) => {
          body += chunk;
        });
        response.on("end", () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, retryAfter: headers["retry-after"], body, socket });
        });
      });
    });
  }

  async function close(...sockets: WebSocket[]): Promise<void> {
    for (const socket of sockets) socket.close();
    await Promise.all(sockets.map((socket) => once(socket, "close")));
  }

  function connections(): number {
    return gateway.node.admissions.connections;
  }

  it("over MAX_CONNECTIONS it is 503 with Retry-After, until one leaves", async () => {
    await start({ MAX_CONNECTIONS: "2" });
    const [first, second] = [await upgrade(), await upgrade()];
    expect([first.status, second.status]).toEqual([101, 101]);
    const third = await upgrade();
    expect(third.status).toBe(503);
    expect(third.retryAfter).toMatch(/^[1-9]\d*$/);
    expect(JSON.parse(third.body!).errorCode).toBe("SERVICE_UNAVAILABLE");
    const stream = await gateway.http("GET", `/v1/${APP}/presences/stream`);
    expect(stream.status).toBe(503);
    expect(stream.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    // What asks for no lasting connection is served as ever.
    expect((await gateway.http("POST", `/v1/${APP}/presences`, {})).status).toBe(200);
    await close(first.socket);
    await expect.poll(connections).toBe(1);
    expect((await upgrade()).status).toBe(101);
  });

  it("over MAX_CONNECTIONS_PER_IP it is 429 with Retry-After, until one leaves", async () => {
    await start({ MAX_CONNECTIONS_PER_IP: "1" });
    const first = await upgrade();
    const second = await upgrade();
    expect(second.status).toBe(429);
    expect(second.retryAfter).toMatch(/^[1-9]\d*$/);
    expect(JSON.parse(second.body!).errorCode).toBe("TOO_MANY_REQUESTS");
    first.socket.terminate();
    await expect.poll(connections).toBe(0);
    expect((await upgrade()).status).toBe(101);
  });

  it("a stream holds a place as a socket does, and gives it back", async () => {
    await start({ MAX_CONNECTIONS_PER_IP: "1" });
    const abort = new AbortController();
    const headers = { authorization: `Bearer ${SECRET}` };
    const path = `${gateway.url}/v1/${APP}/presences/stream`;
    const stream = await fetch(path, { headers, signal: abort.signal });
    expect(stream.status).toBe(200);
    expect((await upgrade()).status).toBe(429);
    expect((await gateway.http("GET", `/v1/${APP}/presences/stream`)).status).toBe(429);
    // Asking about a stream holds nothing.
    expect((await gateway.http("HEAD", `/v1/${APP}/presences/stream`)).status).toBe(200);
    abort.abort();
    await expect.poll(connections).toBe(0);
    expect((await upgrade()).status).toBe(101);
  });

  it("over MAX_CONNECTS_PER_SECOND it is 503 with Retry-After", async () => {
    const clock = new HandClock();
    await start({ MAX_CONNECTS_PER_SECOND: "1" }, { clock });
    expect((await upgrade()).status).toBe(101);
    expect((await upgrade()).status).toBe(101);
    const third = await upgrade();
    expect(third.status).toBe(503);
    expect(third.retryAfter).toBe("1");
    // Refusals take no places.
    expect(connections()).toBe(2);
    clock.turn(gateway, 1_000);
    expect((await upgrade()).status).toBe(101);
  });

  it("while memory is short it is 503 with Retry-After, and connected clients are served", async () => {
    const resident = vi.spyOn(process.memoryUsage, "rss");
    await start({});
    const client = await gateway.connect("alice");
    const sessionId = await client.open({});
    const { view } = await client.subscribe({ userIds: ["alice"] });
    const readiness = async () => (await gateway.http("GET", "/readyz")).json.status;
    expect(await readiness()).toBe("ready");
    resident.mockReturnValue(0.9 * totalmem());
    await expect.poll(readiness).toBe("low_memory");
    const refused = await upgrade();
    expect(refused.status).toBe(503);
    expect(refused.retryAfter).toMatch(/^[1-9]\d*$/);
    const stream = await gateway.http("GET", `/v1/${APP}/presences/stream`);
    expect(stream.status).toBe(503);
    expect(stream.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    // What takes more memory is refused to them too; what they have works as before.
    const refusedLimit = { code: "LIMIT_REACHED", message: expect.stringContaining("memory") };
    expect(await client.ask({ type: "open", kind: "widget" })).toMatchObject(refusedLimit);
    expect(await client.subscribe({ userIds: ["alice", "bob"] })).toMatchObject(refusedLimit);
    expect(await client.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: true });
    expect((await client.ask({ type: "update", hasFocus: true })).type).toBe("ok");
    expect(await client.subscribe({ userIds: ["alice"] })).toMatchObject({ type: "snapshot", view });
    expect(Object.keys(await gateway.query({ hasFocus: true }))).toEqual(["alice"]);
    // A long body would make memory grow: it is refused before it is read.
    const long = { userIds: Array.from({ length: 900 }, (_, i) => `some user of this app ${i}`) };
    const body = await gateway.http("POST", `/v1/${APP}/presences`, long);
    expect(body.status).toBe(503);
    expect(body.headers.get("retry-after")).toBe("5");
    expect(body.json.errorCode).toBe("SERVICE_UNAVAILABLE");
    const { text } = await gateway.http("GET", "/metrics");
    expect(text).toContain('presence_refusals_total{reason="memory"} 3');
    expect((await client.ask({ type: "close" })).type).toBe("closed");
    resident.mockRestore();
    await expect.poll(readiness).toBe("ready");
    expect((await upgrade()).status).toBe(101);
    expect((await gateway.http("POST", `/v1/${APP}/presences`, long)).status).toBe(200);
    await client.open({});
    expect((await client.subscribe({ userIds: ["alice", "bob"] })).type).toBe("snapshot");
    // Each change is logged once, however often memory is sampled.
    const told = gateway.log.map((line) => JSON.parse(line)).filter(({ residentLimit }) => residentLimit);
    expect(told.map(({ level }) => level)).toEqual([40, 30]);
  });

  it("every way to end gives the place back", async () => {
    await start({});
    const sockets = await Promise.all(Array.from({ length: 6 }, () => upgrade()));
    const [closing, ending, refused, silent, garbled, binary] = sockets.map(({ socket }) => socket);
    closing!.close();
    ending!.terminate();
    refused!.send(JSON.stringify({ type: "connect", token: "x" }));
    garbled!.send("{");
    binary!.send(Buffer.from([1]));
    await expect.poll(connections).toBe(1);
    silent!.terminate();
    await expect
      .poll(() => gateway.node.debugCounts())
      .toMatchObject({ connections: 0, addresses: 0, managedConnections: 0 });
  });

  it("a handshake that fails takes no place", async () => {
    await start({ MAX_CONNECTIONS: "1" });
    for (const headers of [{ "sec-websocket-key": "x" }, { upgrade: "h2c", connection: "upgrade" }]) {
      await fetch(`${gateway.url}/v1/${APP}/realtime`, {
        headers: { "sec-websocket-version": "13", ...headers },
      }).catch(() => {});
    }
    await expect.poll(connections).toBe(0);
    expect((await upgrade()).status).toBe(101);
  });

  describe("behind a proxy", () => {
    /** What the proxy appends: the address that it saw. The rest is what the client had sent. */
    const CLIENT = "203.0.113.7";
    const SPOOFS: [name: string, header: string | string[]][] = [
      ["the proxy alone", CLIENT],
      ["one more address", `198.51.100.1, ${CLIENT}`],
      ["another one", `198.51.100.2, ${CLIENT}`],
      ["many more", `${Array.from({ length: 50 }, (_, i) => `10.0.0.${i}`).join(", ")}, ${CLIENT}`],
      ["the address of the proxy", `127.0.0.1, ${CLIENT}`],
      ["the address of this machine in IPv6", `::1, ${CLIENT}`],
      ["words", `unknown, ${CLIENT}`],
      ["nothing", `, ${CLIENT}`],
      ["commas", `,,,,${CLIENT}`],
      ["no space", `198.51.100.1,${CLIENT}`],
      ["the same address in IPv6", `::ffff:${CLIENT}`],
      ["a line of its own before", ["198.51.100.1", CLIENT]],
      ["several lines before", ["198.51.100.1", "127.0.0.1, 198.51.100.3", CLIENT]],
      ["a hop that is trusted behind", `198.51.100.4, ${CLIENT}, 127.0.0.1`],
      ["two hops that are trusted behind", `${CLIENT}, 10.1.2.3, 127.0.0.1`],
    ];

    it.each(SPOOFS)("the address is the last one that is not ours: %s", async (_name, header) => {
      await start({ MAX_CONNECTIONS_PER_IP: "1", TRUST_PROXY: "127.0.0.1, 10.0.0.0/8" });
      expect((await upgrade({ "x-forwarded-for": CLIENT })).status).toBe(101);
      expect((await upgrade({ "x-forwarded-for": header })).status).toBe(429);
      // Somebody else is not counted with them.
      expect((await upgrade({ "x-forwarded-for": `${CLIENT}, 203.0.113.8` })).status).toBe(101);
    });

    it("a household with IPv6 counts as one", async () => {
      await start({ MAX_CONNECTIONS_PER_IP: "1", TRUST_PROXY: "127.0.0.1" });
      expect((await upgrade({ "x-forwarded-for": "2001:db8:1:2::1" })).status).toBe(101);
      expect((await upgrade({ "x-forwarded-for": "2001:0db8:0001:0002:ffff::9" })).status).toBe(429);
      expect((await upgrade({ "x-forwarded-for": "2001:db8:1:3::1" })).status).toBe(101);
    });

    it("an address that comes with a port is still the same address", async () => {
      await start({ MAX_CONNECTIONS_PER_IP: "1", TRUST_PROXY: "127.0.0.1" });
      expect((await upgrade({ "x-forwarded-for": `${CLIENT}:50001` })).status).toBe(101);
      expect((await upgrade({ "x-forwarded-for": `${CLIENT}:50002` })).status).toBe(429);
      expect((await upgrade({ "x-forwarded-for": "[2001:db8::1]:50001" })).status).toBe(101);
      expect((await upgrade({ "x-forwarded-for": "[2001:db8::1]:50002" })).status).toBe(429);
    });

    it("the places of a stream are counted by the same address", async () => {
      await start({ MAX_CONNECTIONS_PER_IP: "1", TRUST_PROXY: "127.0.0.1" });
      expect((await upgrade({ "x-forwarded-for": CLIENT })).status).toBe(101);
      const path = `/v1/${APP}/presences/stream`;
      const { status } = await gateway.http("GET", path, undefined, {
        "x-forwarded-for": `1.2.3.4, ${CLIENT}`,
      });
      expect(status).toBe(429);
    });

    it.each([
      ["nobody is trusted", {}],
      ["somebody else is trusted", { TRUST_PROXY: "10.0.0.1" }],
    ])("if %s, X-Forwarded-For says nothing", async (_name, env) => {
      await start({ MAX_CONNECTIONS_PER_IP: "1", ...env });
      expect((await upgrade({ "x-forwarded-for": "198.51.100.1" })).status).toBe(101);
      expect((await upgrade({ "x-forwarded-for": "198.51.100.2" })).status).toBe(429);
      expect((await upgrade({ forwarded: "for=198.51.100.3", "x-real-ip": "198.51.100.3" })).status).toBe(
        429,
      );
    });
  });
});
