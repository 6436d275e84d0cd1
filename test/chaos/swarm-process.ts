import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { retryDelay } from "../../src/client/retry.ts";
import { frame } from "../support/raw-websocket.ts";
import { openLightly } from "./light-client.ts";
import type { SwarmAnswer, SwarmOptions, SwarmOrder } from "./swarm.ts";

// A process with very many plain clients, which all follow commands at once.

const options = JSON.parse(process.env.SWARM!) as SwarmOptions;
const path = `/v1/${options.appId}/realtime`;
const url = `ws://${options.host}:${options.port}${path}`;
const AT_ONCE = 100;
const WIDE = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, "w".repeat(500)]));

class Client {
  readonly #index: number;
  socket: WebSocket | undefined;
  /** The status of the refusal; 0 if there was none, and only its session was refused. */
  refusal = 0;
  sessionId: string | undefined;
  largestFrame = 0;
  frames = 0;
  last = "";
  onText: ((text: string) => void) | undefined;

  constructor(index: number) {
    this.#index = index;
  }

  get userId(): string {
    return `${options.prefix}${this.#index}`;
  }

  get localAddress(): string | undefined {
    const { addresses } = options;
    return addresses[this.#index % Math.max(1, addresses.length)];
  }

  /** False if it was refused. */
  connect(): Promise<boolean> {
    const { localAddress } = this;
    const socket = new WebSocket(url, { perMessageDeflate: false, ...(localAddress && { localAddress }) });
    this.socket = socket;
    return new Promise((resolve) => {
      socket.on("error", () => {});
      socket.on("unexpected-response", (_request, response) => {
        this.refusal = response.statusCode ?? 0;
        socket.terminate();
      });
      socket.on("open", () => socket.send(JSON.stringify({ type: "connect", token: options.token })));
      socket.on("message", (data: Buffer) => {
        this.frames++;
        this.largestFrame = Math.max(this.largestFrame, data.length);
        this.last = String(data);
        if (this.last.startsWith('{"type":"connected"')) resolve(true);
        this.onText?.(this.last);
      });
      socket.on("close", () => resolve(false));
    });
  }

  send(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Whether the session is the previous one. */
  open(fields: object = {}): Promise<boolean> {
    return new Promise((resolve) => {
      const before = this.sessionId;
      this.onText = (text) => {
        // It was refused: it has a socket and no session.
        if (text.startsWith('{"type":"error"')) return resolve(false);
        if (!text.startsWith('{"type":"opened"')) return;
        this.onText = undefined;
        this.sessionId = JSON.parse(text).sessionId;
        resolve(this.sessionId === before);
      };
      this.socket!.on("close", () => resolve(false));
      this.send({ type: "open", kind: "widget", userId: this.userId, sessionId: before, ...fields });
    });
  }
}

const clients = Array.from({ length: options.count }, (_, i) => new Client(i));

async function each(act: (client: Client, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < clients.length; i = next++) await act(clients[i]!, i);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Retries like the SDK, with as little work as possible. */
async function comeBack({ userId, sessionId, localAddress }: Client, windowMs: number, port: number) {
  const startedAt = Date.now();
  const open = { type: "open", kind: "widget", userId, sessionId };
  const payloads = [{ type: "connect", token: options.token }, open].map((each) => JSON.stringify(each));
  const frames = Buffer.concat(payloads.map((payload) => frame({ payload })));
  const { host } = options;
  for (let attempt = 0; ; attempt++) {
    await delay(retryDelay(attempt, windowMs, Date.now() - startedAt, Math.random()));
    const id = await openLightly({ host, port, localAddress, path, frames });
    if (id === undefined) continue;
    return { isSame: id === sessionId, attempts: attempt + 1, tookMs: Date.now() - startedAt };
  }
}

async function flood(client: Client, kind: "messages" | "pings", untilAt: number): Promise<void> {
  const text = '{"type":"update","custom":{"n":"1"}}';
  while (Date.now() < untilAt && client.socket?.readyState === WebSocket.OPEN) {
    for (let i = 0; i < 100 && client.socket.readyState === WebSocket.OPEN; i++) {
      if (kind === "messages") client.socket.send(text);
      else client.socket.ping();
    }
    await delay(10);
  }
}

/** One visit, which ends in one of the possible ways. */
async function visit(client: Client, number: number): Promise<void> {
  const how = number % 5;
  const connecting = client.connect();
  if (how === 0) {
    await delay(Math.random() * 5);
    client.socket!.terminate();
    await connecting;
    return;
  }
  if (!(await connecting)) return;
  client.sessionId = undefined;
  await client.open({ isTyping: true });
  client.send({ type: "subscribe", id: 1, filter: { selectedConversationId: `c${number % 50}` } });
  client.send({ type: "update", custom: { n: String(number) }, selectedConversationId: `c${number % 7}` });
  const socket = client.socket!;
  const closed = new Promise((resolve) => socket.once("close", resolve));
  if (how === 1) client.send({ type: "ping", id: 2 });
  if (how < 3) socket.close(1000);
  else if (how === 3) socket.close(1001);
  else socket.terminate();
  await closed;
}

const acts: { [Kind in SwarmOrder["kind"]]: (order: SwarmOrder & { kind: Kind }) => Promise<unknown> } = {
  async connect() {
    let refused = 0;
    await each(async (client) => {
      while (!(await client.connect())) {
        refused++;
        await delay(200);
      }
    });
    return refused;
  },
  async arrive() {
    const refusals: number[] = [];
    await each(async (client) => {
      if (await client.connect()) await client.open({ custom: WIDE });
      // More of the same, whether they are opened or refused.
      const more = { type: "open", kind: "background", userId: client.userId, custom: WIDE };
      if (client.sessionId !== undefined) for (let i = 0; i < 3; i++) client.send(more);
      if (client.sessionId === undefined) refusals.push(client.refusal);
    });
    return { arrived: clients.filter(({ sessionId }) => sessionId !== undefined).length, refusals };
  },
  async open({ overMs }) {
    const sentAt: [string, number][] = [];
    await Promise.all(
      clients.map(async (client) => {
        await delay(Math.random() * overMs);
        sentAt.push([client.userId, Date.now()]);
        await client.open();
      }),
    );
    return sentAt;
  },
  async subscribe({ filter }) {
    const took: number[] = [];
    await each(
      (client) =>
        new Promise((resolve) => {
          const startedAt = performance.now();
          client.onText = (text) => {
            if (!text.startsWith('{"type":"snapshot"') || text.includes('"more":true')) return;
            client.onText = undefined;
            took.push(performance.now() - startedAt);
            resolve();
          };
          client.send({ type: "subscribe", id: 7, filter });
        }),
    );
    return took;
  },
  async pause({ isPaused }) {
    for (const { socket } of clients) {
      if (isPaused) socket!.pause();
      else socket!.resume();
    }
  },
  async cut() {
    for (const { socket } of clients) socket?.terminate();
  },
  async comeBack({ windowMs, port = options.port }) {
    const all = await Promise.all(clients.map((client) => comeBack(client, windowMs, port)));
    return {
      resumed: all.filter(({ isSame }) => isSame).length,
      attempts: all.reduce((sum, { attempts }) => sum + attempts, 0),
      tookMs: all.map(({ tookMs }) => tookMs),
    };
  },
  async flood({ what, ms }) {
    const untilAt = Date.now() + ms;
    let attempts = 0;
    if (what !== "handshakes") await Promise.all(clients.map((client) => flood(client, what, untilAt)));
    else {
      const knock = async () => {
        while (Date.now() < untilAt) {
          attempts++;
          await new Promise((resolve) => {
            const socket = new WebSocket(url);
            socket.on("error", () => {});
            socket.on("open", () => socket.terminate());
            socket.on("close", resolve);
          });
        }
      };
      await Promise.all(clients.map(knock));
    }
    await delay(200);
    return {
      attempts,
      closed: clients.filter(({ socket }) => socket?.readyState === WebSocket.CLOSED).length,
    };
  },
  async churn({ cycles }) {
    let number = 0;
    await Promise.all(
      clients.map(async (client) => {
        while (number < cycles) await visit(client, number++);
      }),
    );
  },
  async look() {
    return clients.map(({ frames, largestFrame, last, socket }) => ({
      frames,
      largestFrame,
      last: last.slice(-2_000),
      isOpen: socket?.readyState === WebSocket.OPEN,
    }));
  },
};

process.on("message", async (order: SwarmOrder) => {
  const act = acts[order.kind] as (order: SwarmOrder) => Promise<unknown>;
  const answer: SwarmAnswer = { answer: await act(order) };
  process.send!(answer);
});
process.on("disconnect", () => process.exit(0));
