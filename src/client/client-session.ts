import type { Connection } from "./connection.ts";
import { violation } from "./errors.ts";
import { AGAIN_MS, type Requests } from "./requests.ts";
import { SessionState } from "./session-state.ts";
import type { OpenOptions, Session, SessionEnd, SessionFields, SessionState as State } from "./types.ts";

/** Typing is said again so often; it ends so long after the last key. The gateway forgets it after 10 s. */
const TYPING_REPEAT_MS = 4_000;
const TYPING_IDLE_MS = 5_000;
/** Whatever the app calls, so often updates go out, each with the last state. */
const UPDATE_INTERVAL_MS = 50;
/** Somebody took the session over: we are another one, after a moment, so that two pages can't quarrel fast. */
const REPLACED_MS = 1_000;

/** One session: it says what it should be again and again, until the gateway has it. */
export class ClientSession implements Session {
  state: State = "pending";
  readonly #options: OpenOptions;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #onClosed: () => void;
  readonly #fields = new SessionState();
  /** The id to go on with; the gateway's, once it is open. */
  #id: string | undefined;
  #isAsked = false;
  #toldAt = 0;
  #tellTimer: ReturnType<typeof setTimeout> | undefined;
  #isTelling = false;
  #lastKeyAt = 0;
  #typingToldAt = 0;
  #typingTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #pageHasFocus = false;

  /** @param id Of a session that a page before us left. */
  constructor(
    options: OpenOptions,
    id: string | undefined,
    connection: Connection,
    requests: Requests,
    onClosed: () => void,
  ) {
    this.#fields.set(options);
    this.#options = options;
    this.#id = id;
    this.#connection = connection;
    this.#requests = requests;
    this.#onClosed = onClosed;
  }

  get id(): string | undefined {
    return this.state === "open" ? this.#id : undefined;
  }

  /** The id that the next page, or the next connection, can go on with. */
  get resumableId(): string | undefined {
    return this.#id;
  }

  select(conversationId: string | null): void {
    this.set({ selectedConversationId: conversationId });
  }

  set(fields: SessionFields): void {
    if (this.state === "closed") return;
    this.#fields.set(fields);
    if (this.#options.trackFocus) this.#fields.set({ hasFocus: this.#pageHasFocus && this.#fields.visible });
    this.#tellSoon();
  }

  /** Whether the page has the focus, for sessions that track it. */
  focus(pageHasFocus: boolean): void {
    this.#pageHasFocus = pageHasFocus;
    if (this.#options.trackFocus) this.set({});
  }

  typing(): void {
    if (this.state === "closed") return;
    const now = performance.now();
    this.#lastKeyAt = now;
    if (this.#typingTimer === undefined) this.#awaitEndOfTyping(TYPING_IDLE_MS);
    if (this.#fields.isTyping && now - this.#typingToldAt < TYPING_REPEAT_MS) return;
    this.#typingToldAt = now;
    this.#fields.type(true);
    this.#tellSoon();
  }

  stopTyping(): void {
    clearTimeout(this.#typingTimer);
    this.#typingTimer = undefined;
    if (this.state === "closed" || !this.#fields.isTyping) return;
    this.#fields.type(false);
    this.#tellSoon();
  }

  close(): void {
    if (this.state === "closed") return;
    if (this.state === "open") this.#requests.tell({ type: "close", sessionId: this.#id });
    this.#over();
  }

  /** Asks the gateway for it, on a new connection or for the first time. */
  ask(): void {
    clearTimeout(this.#retryTimer);
    if (this.state === "closed" || this.#isAsked || !this.#connection.isConnected) return;
    this.#isAsked = true;
    const { kind, userId } = this.#options;
    this.#fields.retell();
    this.#requests.ask({
      message: { type: "open", kind, userId, sessionId: this.#id, ...this.#fields.takeUntold() },
      answered: (answer) => {
        if (answer.type !== "opened") throw violation("another answer");
        this.#opened(answer.sessionId);
        return false;
      },
      refused: (error) => {
        this.#isAsked = false;
        if (error.code !== "BAD_MESSAGE" || this.#id === undefined)
          return this.end({ cause: "error", error });
        // What the page before us left does not go together with what we say: another one, then.
        this.#id = undefined;
        this.ask();
      },
    });
  }

  /** The connection is lost. */
  interrupted(): void {
    this.#isAsked = false;
    if (this.state === "open") this.state = "pending";
  }

  /** The gateway left messages undone, which came too fast: is quiet for a while, and says everything again. */
  repeat(): void {
    if (this.state !== "open") return;
    this.#fields.retell();
    this.#tellAfter(AGAIN_MS);
  }

  /** Another socket took it over. */
  replaced(): void {
    this.#id = undefined;
    this.interrupted();
    this.#retryTimer = setTimeout(() => this.ask(), REPLACED_MS * (1 + Math.random()));
  }

  /** The page is back. Its session is where the page between left it; or has not left it yet, then it is the same. */
  resume(id: string | undefined): void {
    this.#id = id ?? this.#id;
  }

  end(reason: SessionEnd): void {
    if (this.state === "closed") return;
    this.#over();
    queueMicrotask(() => this.#options.onEnd?.(reason));
  }

  #opened(id: string): void {
    // Closed meanwhile: only now there is an id to close.
    if (this.state === "closed") return this.#requests.tell({ type: "close", sessionId: id });
    this.#isAsked = false;
    this.#id = id;
    this.state = "open";
    this.#fields.arrived();
    this.#tellSoon();
  }

  /** What is said in one turn goes out as one message. */
  #tellSoon(): void {
    if (this.#isTelling || this.state !== "open") return;
    const waitMs = this.#toldAt + UPDATE_INTERVAL_MS - performance.now();
    if (waitMs > 0) return this.#tellAfter(waitMs);
    this.#isTelling = true;
    queueMicrotask(() => this.#tell());
  }

  #tellAfter(ms: number): void {
    clearTimeout(this.#tellTimer);
    this.#isTelling = true;
    this.#tellTimer = setTimeout(() => this.#tell(), ms);
  }

  #tell(): void {
    this.#isTelling = false;
    // Not open any more: it will all be said when it is again.
    if (this.state !== "open") return;
    if (this.#connection.isCongested) return this.#tellAfter(UPDATE_INTERVAL_MS);
    const patch = this.#fields.takeUntold();
    if (patch === undefined) return;
    this.#toldAt = performance.now();
    this.#connection.send({ type: "update", sessionId: this.#id, ...patch });
    this.#tellSoon();
  }

  #awaitEndOfTyping(afterMs: number): void {
    this.#typingTimer = setTimeout(() => {
      const leftMs = this.#lastKeyAt + TYPING_IDLE_MS - performance.now();
      if (leftMs > 0) this.#awaitEndOfTyping(leftMs);
      else this.stopTyping();
    }, afterMs);
  }

  #over(): void {
    this.state = "closed";
    for (const timer of [this.#tellTimer, this.#typingTimer, this.#retryTimer]) clearTimeout(timer);
    this.#onClosed();
  }
}
