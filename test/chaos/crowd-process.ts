import { WebSocket } from "ws";
import { createClient } from "../../src/client/index.ts";
import type { PresenceClient, Session, Subscription, WebSocketConstructor } from "../../src/client/types.ts";
import { mintToken } from "../../src/server/auth/mint.ts";
import { Random } from "../support/random.ts";
import type { CrowdOptions, CrowdOrder, CrowdReport, RestingUser } from "./crowd.ts";
import { watchOwnTimers } from "./lateness.ts";

// A process full of users with the SDK, which can be killed and paused like a real one. It acts like users
// until it is told to rest, and reports what the gateway sent.

const TELL_MS = 20;

class User {
  readonly userId: string;
  readonly client: PresenceClient;
  readonly sessions: Session[] = [];
  readonly #random: Random;
  readonly #fields: { n: string; conversation: string | null; focus: boolean }[] = [];
  readonly watched: Subscription | undefined;
  #told = "";
  #n = 0;

  constructor(userId: string, watches: boolean, options: CrowdOptions, random: Random) {
    this.userId = userId;
    this.#random = random;
    const token = () =>
      mintToken(
        options.appId,
        options.secret,
        { tokenType: "user", sub: userId, read: "all" },
        Math.floor(Date.now() / 1000) + options.tokenSeconds,
      );
    this.client = createClient({
      url: options.url,
      appId: options.appId,
      token,
      WebSocket: WebSocket as unknown as WebSocketConstructor,
    });
    this.client.on("status", (status) => {
      if (status !== "reconnecting" && status !== "failed") return;
      this.#told = "";
      tell({ kind: "lost", userId, at: Date.now() });
    });
    for (const kind of random.next() < 0.4 ? (["widget", "background"] as const) : (["widget"] as const)) {
      this.sessions.push(this.client.open({ kind, custom: { mark: options.mark } }));
      this.#fields.push({ n: "", conversation: null, focus: false });
    }
    if (watches) this.watched = this.client.subscribe({ selectedConversationId: "c1" }, () => {});
  }

  /** One random action of a user. */
  act(): void {
    const index = this.#random.below(this.sessions.length);
    const session = this.sessions[index]!;
    const fields = this.#fields[index]!;
    const what = this.#random.next();
    if (what < 0.2) session.typing();
    else if (what < 0.4) {
      fields.conversation = this.#random.pick(["c1", "c2", "c3", null]);
      session.select(fields.conversation);
    } else if (what < 0.6) {
      fields.focus = !fields.focus;
      session.set({ hasFocus: fields.focus });
    } else {
      fields.n = String(this.#n++);
      session.set({ custom: { n: fields.n } });
    }
  }

  /** Reports sessions that the gateway has just confirmed. */
  tellNews(): void {
    const ids = this.sessions.map(({ id }) => id).filter((id) => id !== undefined);
    const news = ids.join(" ");
    if (news === this.#told) return;
    this.#told = news;
    if (ids.length > 0) tell({ kind: "holds", userId: this.userId, ids, at: Date.now() });
  }

  /** Whether the gateway, asked over this connection, has the sessions that this user expects. */
  async confirm(): Promise<boolean> {
    const rows = (await this.client.query({ userIds: [this.userId], includeBackgroundSessions: true })).get(
      this.userId,
    );
    const there = new Set(
      [...(rows?.widgets ?? []), ...(rows?.backgroundSessions ?? [])].map((row) => row.sessionId),
    );
    const ids = this.sessions
      .map(({ id }) => id)
      .filter((id) => id !== undefined && there.has(id)) as string[];
    if (this.client.status() === "connected")
      tell({ kind: "holds", userId: this.userId, ids, at: Date.now() });
    return this.isAtRest && ids.length === this.sessions.length;
  }

  rest(): void {
    for (const session of this.sessions) session.stopTyping();
  }

  get isAtRest(): boolean {
    return this.client.status() === "connected" && this.sessions.every(({ state }) => state === "open");
  }

  get resting(): RestingUser {
    return {
      userId: this.userId,
      sessions: this.sessions.map(({ id }, i) => {
        const { n, conversation, focus } = this.#fields[i]!;
        return { sessionId: id!, n, conversation, focus };
      }),
      ...(this.watched?.snapshot && { watched: Object.fromEntries(this.watched.snapshot) }),
    };
  }
}

const options = JSON.parse(process.env.CROWD!) as CrowdOptions;
const random = new Random(options.seed);
const users = options.userIds.map((userId, i) => new User(userId, i === 0, options, random));
let isActive = true;

function tell(report: CrowdReport): void {
  if (process.connected) process.send!(report);
}

process.on("message", async (order: CrowdOrder) => {
  switch (order.kind) {
    case "act":
      isActive = true;
      break;
    case "rest":
      isActive = false;
      for (const user of users) user.rest();
      break;
    case "report": {
      const late = new Promise<boolean>((resolve) => setTimeout(resolve, order.patienceMs, false));
      const confirmed = await Promise.all(
        users.map((user) => Promise.race([late, user.confirm().catch(() => false)])),
      );
      tell({
        kind: "resting",
        number: order.number,
        isAtRest: confirmed.every(Boolean),
        users: users.map(({ resting }) => resting),
      });
      break;
    }
    case "close":
      await Promise.all(users.map(({ client }) => client.close()));
      process.exit(0);
  }
});
// The parent is gone, so nothing is left to do.
process.on("disconnect", () => process.exit(0));
watchOwnTimers((ms) => tell({ kind: "late", ms, at: Date.now() }));
setInterval(() => {
  for (const user of users) user.tellNews();
}, TELL_MS);
setInterval(() => {
  if (isActive) random.pick(users).act();
}, options.actEveryMs);
