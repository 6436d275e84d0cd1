import { NEW_SESSION_PREFIX } from "../protocol/rules.ts";
import type { Connection } from "./connection.ts";
import { protocolError } from "./errors.ts";
import { REPLACED_MS, TYPING_IDLE_MS, TYPING_REPEAT_MS, UPDATE_INTERVAL_MS } from "./limits.ts";
import { stash } from "./page-lifecycle.ts";
import { isPassing, type Requests } from "./requests.ts";
import { SessionState } from "./session-state.ts";
import type { OpenOptions, Session, SessionEnd, SessionFields, SessionState as State } from "./types.ts";

/** One session. It sends its state again on each connection, until the gateway has it. */
export class ClientSession implements Session {
  state: State = "pending";
  readonly #options: OpenOptions;
  /** The id to resume; the gateway's, once the session is open. Before that a name, if it is a new one. */
  #id: string | undefined;
  /** Whether the message that opens it as a new one has gone out on no connection before. */
  #isNew = false;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #onClosed: () => void;
  readonly #onForgotten: () => void;
  readonly #fields = new SessionState();
  #isRequested = false;
  #requestId = 0;
  /** Whether the gateway is being told that it is closed. */
  #isTelling = false;
  #sentAt = 0;
  #sendTimer: ReturnType<typeof setTimeout> | undefined;
  #willSend = false;
  #typingSentAt = 0;
  #typingTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #pageHasFocus = false;

  /**
   * @param id Of a session that the page before has left.
   * @param onClosed Called once, when it is closed or has ended.
   * @param onForgotten Called after that, when the gateway need not be told any more.
   */
  constructor(
    options: OpenOptions,
    id: string | undefined,
    connection: Connection,
    requests: Requests,
    onClosed: () => void,
    onForgotten: () => void,
  ) {
    this.#options = options;
    this.#id = id;
    this.#connection = connection;
    this.#requests = requests;
    this.#onClosed = onClosed;
    this.#onForgotten = onForgotten;
    this.#fields.set(options);
  }

  get id(): string | undefined {
    return this.state === "open" ? this.#id : undefined;
  }

  get #isClosed(): boolean {
    return this.state === "closed";
  }

  select(conversationId: string | null): void {
    this.set({ selectedConversationId: conversationId });
  }

  set(fields: SessionFields): void {
    if (this.#isClosed) return;
    this.#fields.set(fields);
    if (this.#options.trackFocus) this.#fields.set({ hasFocus: this.#pageHasFocus && this.#fields.visible });
    this.#sendSoon();
  }

  /** Whether the page has the focus, for sessions that track it. */
  focus(pageHasFocus: boolean): void {
    this.#pageHasFocus = pageHasFocus;
    if (this.#options.trackFocus) this.set({});
  }

  typing(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => this.stopTyping(), TYPING_IDLE_MS);
    const now = performance.now();
    if (this.#fields.isTyping && now - this.#typingSentAt < TYPING_REPEAT_MS) return;
    this.#typingSentAt = now;
    this.#fields.type(true);
    this.#sendSoon();
  }

  stopTyping(): void {
    clearTimeout(this.#typingTimer);
    if (this.#isClosed || !this.#fields.isTyping) return;
    this.#fields.type(false);
    this.#sendSoon();
  }

  close(): void {
    if (this.#isClosed) return;
    const wasOpen = this.state === "open";
    this.#over();
    if (wasOpen) this.#tell();
    // A new session whose message has not gone out.
    else if (this.#isNew && this.#requests.withdraw(this.#requestId)) {
      this.#isRequested = false;
      this.#id = undefined;
    }
    this.#mayForget();
  }

  /**
   * Opens it at the gateway, on a new connection or for the first time. One that is closed is taken over only
   * to be closed.
   */
  request(): void {
    clearTimeout(this.#retryTimer);
    if (this.#isRequested || !this.#connection.isConnected) return;
    this.#isRequested = true;
    if (!this.#id) {
      // If the answer is lost, the gateway finds the session by the name.
      this.#id = NEW_SESSION_PREFIX + Math.random();
      this.#isNew = true;
    }
    const { kind, userId } = this.#options;
    this.#fields.resyncAll();
    const fields = this.#isClosed ? undefined : this.#fields.takePending();
    this.#requestId = this.#requests.request({
      message: { type: "open", kind, userId, sessionId: this.#id, ...fields },
      answered: (answer) => {
        if (answer.type !== "opened") throw protocolError(answer.type);
        this.#opened(answer.sessionId);
        return undefined;
      },
      refused: (error) => {
        if (isPassing(error) && !(this.#isNew && this.#isClosed)) return true;
        this.#isRequested = false;
        if (this.#isClosed) this.#id = undefined;
        else if (error.code !== "BAD_MESSAGE" || this.#isNew) this.end({ cause: "error", error });
        else {
          // The session of the page before does not fit this state: opens another one.
          this.#id = undefined;
          this.request();
        }
        return this.#mayForget();
      },
    });
    if (this.#isClosed) this.#tell();
  }

  /** The connection is lost. */
  lost(): void {
    this.#isRequested = this.#isTelling = this.#isNew = false;
    if (this.state === "open") this.state = "pending";
    this.#mayForget();
  }

  /** The gateway has ignored messages, which came too fast: sends nothing for a while, then everything. */
  resyncAll(): void {
    if (this.state !== "open") return;
    this.#fields.resyncAll();
    this.#sendAfter(UPDATE_INTERVAL_MS);
  }

  /** Another socket has taken it over. */
  replaced(): void {
    this.#id = undefined;
    this.lost();
    this.#retryTimer = setTimeout(() => this.request(), REPLACED_MS * (1 + Math.random()));
  }

  /** The page is left: the next one can resume the session. */
  stash(key: string): void {
    if (this.#id) stash(key, this.#id);
  }

  /** The page is back. A page in between may have stashed another id; else the id stays the same. */
  resume(id: string | undefined): void {
    this.#id = id ?? this.#id;
  }

  end(reason: SessionEnd): void {
    if (this.#isClosed) return;
    this.#id = undefined;
    this.#over();
    this.#mayForget();
    queueMicrotask(() => this.#options.onEnd?.(reason));
  }

  #opened(id: string): void {
    this.#isRequested = this.#isNew = false;
    this.#id = id;
    // The app has closed it meanwhile.
    if (this.#isClosed) return this.#isTelling ? undefined : this.#tell();
    this.state = "open";
    this.#fields.arrived();
    this.#sendSoon();
  }

  /** Tells the gateway that it is closed. */
  #tell(): undefined {
    this.#isTelling = true;
    const sessionId = this.#id;
    const told = () => {
      this.#isTelling = false;
      // Else it was told before it is open.
      if (!this.#isRequested) this.#id = undefined;
      return this.#mayForget();
    };
    this.#requests.request({
      message: { type: "close", sessionId },
      answered: told,
      // It was opened as another one.
      refused: (error) => isPassing(error) || (sessionId === this.#id ? told() : this.#tell()),
    });
  }

  /** Closed, and nothing of it is left at the gateway, as far as this client can know. */
  #mayForget(): undefined {
    if (this.#isClosed && !this.#isRequested && !this.#id) this.#onForgotten();
  }

  /** Changes of one turn go out as one message. */
  #sendSoon(): void {
    if (this.#willSend || this.state !== "open") return;
    const waitMs = this.#sentAt + UPDATE_INTERVAL_MS - performance.now();
    if (waitMs > 0) return this.#sendAfter(waitMs);
    this.#willSend = true;
    queueMicrotask(() => this.#send());
  }

  #sendAfter(ms: number): void {
    clearTimeout(this.#sendTimer);
    this.#willSend = true;
    this.#sendTimer = setTimeout(() => this.#send(), ms);
  }

  #send(): void {
    this.#willSend = false;
    // Everything is sent when it is open again.
    if (this.state !== "open") return;
    if (this.#connection.isCongested) return this.#sendAfter(UPDATE_INTERVAL_MS);
    const patch = this.#fields.takePending();
    if (!patch) return;
    this.#sentAt = performance.now();
    this.#connection.send({ type: "update", sessionId: this.#id, ...patch });
    this.#sendSoon();
  }

  #over(): void {
    this.state = "closed";
    for (const timer of [this.#sendTimer, this.#typingTimer, this.#retryTimer]) clearTimeout(timer);
    this.#onClosed();
  }
}
