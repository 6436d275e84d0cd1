import { request as httpRequest } from "node:http";
import { text as readText } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { mintToken } from "../../src/server/auth/mint.ts";
import type { Random } from "../support/random.ts";
import type { ExpectedSession } from "./oracle.ts";
import { NOTHING_SAID, type SaidStatus, StatusOracle } from "./status-oracle.ts";
import { type Message, WireClient } from "./wire-client.ts";

/** A node that can be asked. */
export interface StatusPlace {
  readonly name: string;
  readonly url: string;
  /** Whether others hear at once what is said here. */
  readonly isHeard: boolean;
}

export interface StatusUsersOptions {
  readonly appId: string;
  readonly secret: string;
  /** In the custom fields of each session. */
  readonly mark: string;
  readonly random: Random;
  /** Users who are online all the time, and are never invisible. */
  readonly onlineIds: readonly string[];
  /** Any node, healthy or not. It answers at some time, or dies. */
  readonly place: () => StatusPlace;
  /** A node that answers. */
  readonly wellPlace: () => StatusPlace;
  readonly record: (userId: string, text: string) => void;
}

/** What a node did with a request: yes, no, or nobody knows. */
type Outcome = "done" | "not done" | "unknown";

const VISITORS = 6;
const BOTS = 4;
const KEYS = ["one", "two"];
/** Two changes of a user are not made in the same millisecond: versions are times. */
const APART_MS = 3;
/** Longer than a run. */
const TTL_MS = 3_600_000;
const LAST_RETRY_MS = 30_000;

/**
 * Users who declare statuses on any node, over sockets and HTTP, while nodes fail: some of them are online
 * all the time, visitors come for a moment, and the sessions of bots are written over HTTP. Each user waits
 * for the answer before the next change, so it is known which one is the last.
 */
export class StatusUsers {
  readonly oracle = new StatusOracle();
  readonly userIds: readonly string[];
  /** Sessions of bots have the same id whenever they begin. */
  readonly botSessionIds = new Set<string>();
  readonly #options: StatusUsersOptions;
  readonly #onlineIds: ReadonlySet<string>;
  readonly #botIds: readonly string[];
  readonly #busy = new Set<string>();
  #n = 0;
  changes = 0;

  constructor(options: StatusUsersOptions) {
    this.#options = options;
    this.#onlineIds = new Set(options.onlineIds);
    this.#botIds = Array.from({ length: BOTS }, (_, i) => `bot ${i}`);
    const visitorIds = Array.from({ length: VISITORS }, (_, i) => `with a status ${i}`);
    this.userIds = [...options.onlineIds, ...visitorIds, ...this.#botIds];
  }

  /** One action of a user who does nothing else at the moment. */
  async act(): Promise<void> {
    const { random } = this.#options;
    const userId = random.pick(this.userIds);
    if (this.#busy.has(userId)) return;
    this.#busy.add(userId);
    try {
      const what = random.next();
      if (what < 0.25 && this.#botIds.includes(userId)) await this.#write(userId);
      else if (what < 0.25 && !this.#onlineIds.has(userId)) await this.#visit(userId);
      else await this.#declare(userId);
      await delay(APART_MS);
    } finally {
      this.#busy.delete(userId);
    }
  }

  /** All bots have all their sessions again. Resolves with these. */
  async rest(): Promise<Map<string, ExpectedSession[]>> {
    const expected = new Map<string, ExpectedSession[]>();
    const { mark } = this.#options;
    for (const userId of this.#botIds) {
      const sessions: ExpectedSession[] = [];
      for (const key of KEYS) {
        const custom = { mark, n: `${this.#n++}` };
        const body = { custom, hasFocus: true, isTyping: false, selectedConversationId: "c1", isIdle: false };
        const sessionId = await this.#writeFinally(userId, key, body);
        sessions.push({ sessionId, fields: { custom, hasFocus: true, selectedConversationId: "c1" } });
      }
      expected.set(userId, sessions);
    }
    return expected;
  }

  /** Nobody is there any more, and nothing is known about anybody. */
  async goHome(): Promise<void> {
    const place = this.#options.wellPlace();
    for (const userId of this.userIds) {
      const { outcome } = await this.#http(place, "DELETE", `/users/${encodeURIComponent(userId)}`);
      if (outcome !== "done") throw new Error(`${place.name} does not erase ${userId}`);
    }
  }

  async #declare(userId: string): Promise<void> {
    const { random, record } = this.#options;
    const place = this.#options.place();
    const isOnline = this.#onlineIds.has(userId);
    const kinds = ["put", "put", "socket", "socket", "own socket", "delete", ...(isOnline ? [] : ["erase"])];
    const kind = random.pick(kinds);
    const isReset = kind === "delete" || kind === "erase";
    const status = isReset ? NOTHING_SAID : this.#status(!isOnline);
    const expiresInMs = !isReset && random.oneIn(5) ? 1_000 : undefined;
    const from = Date.now();
    record(userId, `${kind} on ${place.name}: ${JSON.stringify(status)} ${expiresInMs ?? ""}`);
    const outcome = await this.#send(userId, kind, place, { ...status, ...(expiresInMs && { expiresInMs }) });
    const at = Date.now();
    record(userId, `${outcome} by ${place.name}`);
    if (outcome === "not done") return;
    this.changes++;
    this.oracle.declared(userId, {
      status,
      place: place.name,
      at,
      isHeard: place.isHeard,
      isCertain: outcome === "done",
      ...(expiresInMs && { expires: { from: from + expiresInMs, by: at + expiresInMs } }),
    });
  }

  /** Sets the whole status, so that it does not matter what the node knew before. */
  async #send(userId: string, kind: string, place: StatusPlace, status: object): Promise<Outcome> {
    const path = `/users/${encodeURIComponent(userId)}`;
    switch (kind) {
      case "put":
        return (await this.#http(place, "PUT", `${path}/status`, status)).outcome;
      case "delete":
        return (await this.#http(place, "DELETE", `${path}/status`)).outcome;
      case "erase":
        return (await this.#http(place, "DELETE", path)).outcome;
    }
    const client = await this.#connect(place, kind === "own socket" ? userId : undefined);
    if (client === undefined) return "not done";
    const whole = { availability: null, text: null, emoji: null, expiresInMs: null, ...status };
    const answer = await client.ask({
      type: "status",
      ...whole,
      ...(kind === "socket" && { userId }),
    });
    client.close();
    if (answer.type === "ok") return "done";
    return answer.type === "error" ? "not done" : "unknown";
  }

  #status(mayHide: boolean): SaidStatus {
    const { random } = this.#options;
    const availabilities = ["available", "away", "busy", "dnd", ...(mayHide ? ["invisible"] : [])];
    return {
      availability: random.pick(availabilities),
      text: `text ${this.#n++}`,
      ...(random.oneIn(2) && { emoji: "🌴" }),
    };
  }

  /** A session begins and ends, on a node that may not know what the user has declared elsewhere. */
  async #visit(userId: string): Promise<void> {
    const { random, mark, record } = this.#options;
    const place = this.#options.place();
    const client = await this.#connect(place, userId);
    if (client === undefined) return;
    record(userId, `comes to ${place.name}`);
    await client.ask({ type: "open", kind: "widget", custom: { mark } });
    await delay(random.between(0, 300));
    await client.ask({ type: "close" });
    client.close();
    record(userId, `leaves ${place.name}`);
  }

  async #connect(place: StatusPlace, userId: string | undefined): Promise<WireClient | undefined> {
    const { appId, secret } = this.#options;
    const claims = userId === undefined ? { tokenType: "app" } : { tokenType: "user", sub: userId };
    const token = await mintToken(appId, secret, claims as Parameters<typeof mintToken>[2]);
    return WireClient.connect(place.url, appId, token).catch(() => undefined);
  }

  async #write(userId: string): Promise<void> {
    const { random, record } = this.#options;
    const place = this.#options.place();
    const key = random.pick(KEYS);
    const path = `/users/${encodeURIComponent(userId)}/sessions/${key}`;
    const isEnd = random.oneIn(4);
    const body = {
      custom: { mark: this.#options.mark, n: `${this.#n++}` },
      hasFocus: random.oneIn(2),
      isTyping: random.oneIn(2),
      isIdle: random.oneIn(2),
      selectedConversationId: random.pick(["c1", "c2", null]),
      ttlMs: random.pick([1_000, TTL_MS]),
    };
    const { outcome } = isEnd
      ? await this.#http(place, "DELETE", path)
      : await this.#http(place, "PUT", path, body);
    record(userId, `${isEnd ? "ends" : "writes"} ${key} on ${place.name}: ${outcome}`);
  }

  async #writeFinally(userId: string, key: string, body: object): Promise<string> {
    const until = Date.now() + LAST_RETRY_MS;
    for (;;) {
      const place = this.#options.wellPlace();
      const path = `/users/${encodeURIComponent(userId)}/sessions/${key}`;
      const { outcome, json } = await this.#http(place, "PUT", path, { ...body, ttlMs: TTL_MS });
      const sessionId = json?.data?.sessionId;
      if (outcome === "done" && sessionId !== undefined) {
        this.botSessionIds.add(sessionId);
        return sessionId;
      }
      if (Date.now() > until) throw new Error(`${place.name} takes no session: ${JSON.stringify(json)}`);
      await delay(100);
    }
  }

  async #http(
    place: StatusPlace,
    method: string,
    path: string,
    body?: object,
  ): Promise<{ outcome: Outcome; json?: Message }> {
    const { appId, secret } = this.#options;
    try {
      const { status, text } = await answerTo(
        `${place.url}/v1/${appId}${path}`,
        method,
        { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        body && JSON.stringify(body),
      );
      return {
        outcome: status === 200 ? "done" : "not done",
        json: text === "" ? undefined : JSON.parse(text),
      };
    } catch (error) {
      const isRefused = (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
      return { outcome: isRefused ? "not done" : "unknown" };
    }
  }
}

/** Over a connection of its own: a kept one may be from before a restart. Waits as long as it takes. */
function answerTo(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: string | undefined,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      readText(response).then((text) => resolve({ status: response.statusCode!, text }), reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}
