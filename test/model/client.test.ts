import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createClient } from "../../src/client/index.ts";
import type { PresenceClient, Session, Subscription } from "../../src/client/types.ts";
import { RateLimiter } from "../../src/server/gateway/rate-limiter.ts";
import type { Received } from "../support/client.ts";
import { type FakeSocket, fakeSockets } from "../support/fake-socket.ts";
import { Random } from "../support/random.ts";
import { runs, SEED } from "../support/seed.ts";

const WINDOW_MS = 15_000;
const MESSAGES_PER_SECOND = 50;

/** What the app's token function does. */
const TOKENS = {
  valid: () => "valid",
  // Accepted within the leeway, which soon ends.
  late: () => "late",
  early: () => "early",
  empty: () => "",
  long: () => "<html>".repeat(2_000),
  object: () => ({}) as string,
  rejects: () => Promise.reject(new Error("no luck")),
  slow: () => new Promise<string>((resolve) => setTimeout(() => resolve("valid"), 3_000)),
  never: () => new Promise<string>(() => {}),
} as const;
type TokenName = keyof typeof TOKENS;

interface Peer {
  readonly socket: FakeSocket;
  /** How long a message takes, each way. */
  readonly latencyMs: number;
  readonly limiter: RateLimiter;
  readonly views: Set<string>;
  isConnected: boolean;
  isOver: boolean;
  /** What was on its way to the client when the connection was cut is lost. */
  losesAnswers: boolean;
}

/** A gateway on the clock of the test: its bounds, its refusals, and a network that takes time. */
class Gateway {
  readonly sessions = new Map<string, { peer: Peer | undefined; lostAt: number }>();
  readonly #random: Random;
  readonly #maxSubscriptions: number;
  readonly #maxSessions: number;
  peer: Peer | undefined;
  isDown = false;
  /** One message in so many is refused for no reason of the client's. 0: none. */
  refusesOneIn = 0;
  floods = 0;
  /** Messages of each type, and refusals of each code. */
  readonly counts: Record<string, number> = {};
  #lastId = 0;

  constructor(random: Random, maxSubscriptions: number, maxSessions: number) {
    this.#random = random;
    this.#maxSubscriptions = maxSubscriptions;
    this.#maxSessions = maxSessions;
  }

  accept(socket: FakeSocket): void {
    const peer: Peer = {
      socket,
      latencyMs: this.#random.below(150),
      limiter: new RateLimiter(MESSAGES_PER_SECOND, performance.now()),
      views: new Set(),
      isConnected: false,
      isOver: false,
      losesAnswers: false,
    };
    if (this.isDown) return void setTimeout(() => socket.end(1006), 10);
    this.peer = peer;
    const close = socket.close.bind(socket);
    socket.close = (code) => {
      close(code);
      this.#gone(peer, code === 1000);
    };
    socket.onSent = (message) =>
      setTimeout(() => peer.isOver || this.#receive(peer, message), peer.latencyMs);
    setTimeout(() => peer.isOver || socket.open(), 2 * peer.latencyMs);
  }

  /** The connection ends; the client hears of it a moment later. */
  cut(code: number): void {
    if (this.peer && !this.peer.isOver) this.#end(this.peer, code);
  }

  prune(): void {
    for (const [id, { peer, lostAt }] of this.sessions) {
      if (!peer && performance.now() - lostAt > WINDOW_MS) this.sessions.delete(id);
    }
  }

  #end(peer: Peer, code: number): void {
    this.#gone(peer, false);
    peer.losesAnswers = code === 1006 && this.#random.oneIn(2);
    setTimeout(() => peer.socket.end(code), peer.latencyMs);
  }

  #gone(peer: Peer, isClean: boolean): void {
    peer.isOver = true;
    for (const [id, session] of this.sessions) {
      if (session.peer !== peer) continue;
      if (isClean) this.sessions.delete(id);
      else this.sessions.set(id, { peer: undefined, lostAt: performance.now() });
    }
  }

  #receive(peer: Peer, message: Received): void {
    const { type, id } = message;
    const say = (answer: object) => {
      const arrives = () => peer.socket.readyState === 1 && !peer.losesAnswers;
      setTimeout(() => arrives() && peer.socket.say(answer), peer.latencyMs);
    };
    const refuse = (code: string) => {
      this.#count(code);
      say({ type: "error", id, code, message: "" });
    };
    this.#count(type);
    if (!peer.isConnected) {
      if (type !== "connect" || message.token === "early") return this.#end(peer, 4401);
      expect(["valid", "late"]).toContain(message.token);
      peer.isConnected = true;
      if (message.token === "late") setTimeout(() => peer.isOver || this.#end(peer, 4410), 2_000);
      const times = { heartbeatMs: 16_000, resumeWindowMs: WINDOW_MS };
      return say({ type: "connected", userId: "alice", nodeId: "node", ...times });
    }
    if (!peer.limiter.admit(performance.now())) {
      refuse("RATE_LIMITED");
      if (!peer.limiter.isFlooding(performance.now())) return;
      this.floods++;
      return this.#end(peer, 4429);
    }
    if (this.refusesOneIn > 0 && type !== "ping" && this.#random.oneIn(this.refusesOneIn)) {
      const isRoomNeeded = type === "subscribe" || type === "open";
      return refuse(isRoomNeeded && this.#random.oneIn(2) ? "LIMIT_REACHED" : "RATE_LIMITED");
    }
    if (type === "ping") say({ type: "pong" });
    else if (type === "subscribe") {
      const view = JSON.stringify(message.filter);
      if (!peer.views.has(view) && peer.views.size >= this.#maxSubscriptions) return refuse("LIMIT_REACHED");
      peer.views.add(view);
      if (message.since && this.#random.oneIn(2)) say({ type: "resumed", id, ...message.since });
      else say({ type: "snapshot", id, view, version: 1, data: {} });
    } else if (type === "unsubscribe") {
      if (peer.views.delete(message.view)) say({ type: "ok", id });
      else refuse("NOT_FOUND");
    } else if (type === "open") this.#open(peer, message, say, refuse);
    else if (type === "close") {
      const sessionId = idOfName(message.sessionId);
      if (this.sessions.get(sessionId)?.peer !== peer) return refuse("NOT_FOUND");
      this.sessions.delete(sessionId);
      say({ type: "closed", id, sessionId, cause: "closed" });
    }
  }

  #open(
    peer: Peer,
    { id, sessionId: asked }: Received,
    say: (answer: object) => void,
    refuse: (code: string) => void,
  ) {
    this.prune();
    const sessionId = idOfName(asked);
    if (this.sessions.has(sessionId)) {
      this.sessions.set(sessionId, { peer, lostAt: 0 });
      return say({ type: "opened", id, sessionId, resumed: true });
    }
    if (this.sessions.size >= this.#maxSessions) {
      const [lost] = [...this.sessions].filter((entry) => !entry[1].peer);
      if (!lost) return refuse("LIMIT_REACHED");
      this.sessions.delete(lost[0]);
    }
    const made = sessionId === asked ? `session ${++this.#lastId}` : sessionId;
    this.sessions.set(made, { peer, lostAt: 0 });
    say({ type: "opened", id, sessionId: made, resumed: false });
  }

  #count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }
}

/** The gateway finds a session by the name that its client gave it, and makes its own id of that. */
function idOfName(sessionId: string): string {
  return sessionId.startsWith("new:") ? `session named ${sessionId.slice(4)}` : sessionId;
}

/** One client, what the app wants of it, and its gateway. */
class World {
  readonly random: Random;
  readonly gateway: Gateway;
  readonly client: PresenceClient;
  readonly wanted = new Map<number, Subscription>();
  readonly sessions = new Set<Session>();
  readonly maxSubscriptions: number;
  readonly maxSessions: number;
  token: TokenName = "valid";
  /** What it did when a token came last. */
  given: TokenName = "valid";
  /** Token requests at the same time, but for those that are given up. */
  asking = 0;

  constructor(seed: number, maxSubscriptions: number) {
    this.random = new Random(seed);
    this.maxSubscriptions = maxSubscriptions;
    this.maxSessions = 2 + this.random.below(3);
    this.gateway = new Gateway(this.random, maxSubscriptions, this.maxSessions);
    const { WebSocket } = fakeSockets((socket) => this.gateway.accept(socket));
    this.client = createClient({ url: "http://gateway", appId: "app", token: () => this.#ask(), WebSocket });
  }

  toggle(number: number): void {
    const subscription = this.wanted.get(number);
    if (subscription) {
      subscription.unsubscribe();
      this.wanted.delete(number);
    } else {
      this.wanted.set(
        number,
        this.client.subscribe({ userIds: [`user ${number}`] }, () => {}),
      );
    }
  }

  async step(): Promise<void> {
    const { random, gateway } = this;
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        for (let i = random.below(6); i >= 0; i--) this.toggle(random.below(2 * this.maxSubscriptions));
        break;
      case 3:
        if (this.sessions.size <= this.maxSessions) this.sessions.add(this.client.open({ kind: "widget" }));
        break;
      case 4:
      case 5: {
        const [session] = random.shuffle([...this.sessions]);
        session?.close();
        if (session) this.sessions.delete(session);
        break;
      }
      case 6:
        gateway.cut(random.pick([1006, 1012, 1013, 4408]));
        gateway.isDown = random.oneIn(3);
        break;
      case 7:
        gateway.isDown = false;
        gateway.refusesOneIn = random.pick([0, 0, 2, 5]);
        break;
      case 8:
        this.token = random.oneIn(3) ? random.pick(Object.keys(TOKENS) as TokenName[]) : "valid";
        if (random.oneIn(2)) {
          gateway.cut(4410);
          // The gateway takes it for one that is over.
          this.given = "late";
        }
        break;
      case 9:
        // Fast, as by a list that is scrolled.
        for (let i = 0; i < 30; i++) {
          this.toggle(random.below(2 * this.maxSubscriptions));
          await vi.advanceTimersByTimeAsync(10);
        }
    }
    await vi.advanceTimersByTimeAsync(random.pick([0, 5, 50, 300, 3_000, 20_000]));
    this.#check();
    if (this.client.status() === "failed" || random.oneIn(20)) this.client.reconnect();
  }

  /** Nothing goes wrong any more. In the end the client has what is wanted, as far as there is room. */
  async rest(): Promise<void> {
    this.gateway.isDown = false;
    this.gateway.refusesOneIn = 0;
    this.token = "valid";
    await vi.advanceTimersByTimeAsync(200_000);
    this.#check();
    const { gateway, wanted, sessions } = this;
    if (wanted.size + sessions.size === 0) return;
    expect(this.client.status()).toBe("connected");
    gateway.prune();
    const open = [...sessions].filter(({ state }) => state === "open").map(({ id }) => id);
    expect(open.length).toBe(Math.min(sessions.size, this.maxSessions));
    expect([...gateway.sessions.keys()].sort()).toEqual(open.sort());
    const views = [...wanted.keys()].map((number) => JSON.stringify({ userIds: [`user ${number}`] }));
    const held = [...gateway.peer!.views];
    expect(views).toEqual(expect.arrayContaining(held));
    expect(held.length).toBe(Math.min(views.length, this.maxSubscriptions));
    for (const [number, { state }] of wanted) {
      if (held.includes(JSON.stringify({ userIds: [`user ${number}`] }))) expect(state).toBe("active");
    }
    // What there is no room for is tried now and then.
    const before = gateway.counts.LIMIT_REACHED ?? 0;
    await vi.advanceTimersByTimeAsync(60_000);
    expect((gateway.counts.LIMIT_REACHED ?? 0) - before).toBeLessThanOrEqual(5);
  }

  /**
   * Sessions are opened and closed while the connection is lost, at any moment of a message's way. Long
   * before the gateway ends what is lost, it has what is wanted and nothing else.
   */
  async glitch(): Promise<void> {
    const { random, gateway, client } = this;
    for (const session of this.sessions) session.close();
    this.sessions.clear();
    client.reconnect();
    client.open({ kind: "background" });
    await vi.advanceTimersByTimeAsync(60_000);
    const opened: Session[] = [];
    const steps = [
      () => void opened.push(client.open({ kind: "widget" })),
      () => opened.at(-1)?.close(),
      () => gateway.cut(1006),
      () => random.oneIn(2) && gateway.cut(1006),
    ];
    for (let i = 0; i < 4 && opened.length < this.maxSessions - 1; i++) {
      for (const step of random.oneIn(2) ? steps : random.shuffle(steps)) {
        step();
        await vi.advanceTimersByTimeAsync(random.pick([0, 50, 150, 300, 1_000]));
      }
    }
    await vi.advanceTimersByTimeAsync(9_000);
    expect(client.status()).toBe("connected");
    const wanted = opened.filter(({ state }) => state !== "closed");
    expect(wanted.map(({ state }) => state)).toEqual(wanted.map(() => "open"));
    expect(gateway.sessions.size).toBe(1 + wanted.length);
  }

  async end(): Promise<void> {
    const closed = this.client.close();
    await vi.advanceTimersByTimeAsync(40_000);
    await closed;
    expect(vi.getTimerCount()).toBe(0);
  }

  #check(): void {
    expect(this.gateway.floods).toBe(0);
    expect(this.asking).toBeLessThanOrEqual(1);
    const hasFailed = [...this.wanted.values()].some(({ state }) => state === "error");
    if (!hasFailed && this.client.status() !== "failed") return;
    // All of it has ended, for a reason.
    expect([...this.wanted.values()].every(({ state }) => state === "error")).toBe(true);
    expect([...this.sessions].every(({ state }) => state === "closed")).toBe(true);
    expect(["early", "late"]).toContain(this.given);
    this.wanted.clear();
    this.sessions.clear();
  }

  async #ask(): Promise<string> {
    const name = this.token;
    if (name === "never") return await TOKENS.never();
    this.asking++;
    try {
      const token = await TOKENS[name]();
      if (token && token.length < 10) this.given = name;
      return token;
    } finally {
      this.asking--;
    }
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

it(`a client has in the end what is wanted, whatever it went through (MODEL_SEED=${SEED})`, async () => {
  for (let run = 0; run < runs(150); run++) {
    const world = new World(SEED * 1_000 + run, 3 + (run % 4));
    vi.spyOn(Math, "random").mockImplementation(() => world.random.next());
    try {
      for (let i = 0; i < 40; i++) await world.step();
      await world.rest();
      await world.glitch();
      await world.end();
    } catch (error) {
      throw new Error(`in run ${run}`, { cause: error });
    }
  }
});

it(`a client that wants no more than a socket may have is never refused (MODEL_SEED=${SEED})`, async () => {
  for (let run = 0; run < runs(6); run++) {
    const world = new World(SEED * 1_000 + run, 100);
    vi.spyOn(Math, "random").mockImplementation(() => world.random.next());
    for (let i = 0; i < 100; i++) world.toggle(i);
    await vi.advanceTimersByTimeAsync(world.random.pick([0, 100, 10_000]));
    for (let i = 0; i < 100; i++) {
      // A page of rows goes, and another comes; in which order, in this turn, is the page's affair.
      const rows = world.random.pick([1, 1, 5, 100]);
      const gone = world.random.shuffle([...world.wanted.keys()]).slice(0, rows);
      const come = world.random
        .shuffle(Array.from({ length: 200 }, (_, row) => row).filter((row) => !world.wanted.has(row)))
        .slice(0, rows);
      for (const row of world.random.shuffle([...gone, ...come])) world.toggle(row);
      await vi.advanceTimersByTimeAsync(world.random.pick([0, 1, 10, 10, 10, 100, 5_000]));
      if (world.random.oneIn(50)) world.gateway.cut(1006);
    }
    await world.rest();
    expect(world.gateway.counts.LIMIT_REACHED).toBeUndefined();
    expect(world.gateway.floods).toBe(0);
    await world.end();
  }
});
