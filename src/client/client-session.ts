import type { CloseCause } from "../protocol/codes.ts";
import { NEW_SESSION_PREFIX } from "../protocol/rules.ts";
import type { Connection } from "./connection.ts";
import { protocolError } from "./errors.ts";
import { REPLACED_MS, TYPING_IDLE_MS, TYPING_REPEAT_MS, UPDATE_INTERVAL_MS } from "./limits.ts";
import { now } from "./pace.ts";
import { stash } from "./page-lifecycle.ts";
import { isPassing, type Requests } from "./requests.ts";
import { createSessionState } from "./session-state.ts";
import type { OpenOptions, Session, SessionEnd, SessionFields, SessionState } from "./types.ts";

export type ClientSession = ReturnType<typeof createClientSession>;

/**
 * One session. It sends its state again on each connection, until the gateway has it.
 * @param id To resume: of a session that the page before has left. Later the gateway's for this one; before
 *   that a name, if it is a new one.
 * @param onClosed Called once, when it is closed or has ended.
 * @param onForgotten Called after that, when the gateway need not be told any more.
 */
export function createClientSession(
  options: OpenOptions,
  id: string | undefined,
  connection: Connection,
  requests: Requests,
  onClosed: () => void,
  onForgotten: () => void,
) {
  const { kind, userId, trackFocus, onEnd } = options;
  const fields = createSessionState();
  let state: SessionState = "pending";
  /** Whether the message that opens it as a new one has gone out on no connection before. */
  let isNew = false;
  /** What it was opened by first, and the id that the gateway made of that. */
  let name: string | undefined;
  let namedId: string | undefined;
  let isRequested = false;
  let requestId = 0;
  /** Whether the gateway is being told that it is closed. */
  let isTelling = false;
  let sentAt = 0;
  let sendTimer: ReturnType<typeof setTimeout> | undefined;
  let willSend = false;
  let typingSentAt = 0;
  let typingTimer: ReturnType<typeof setTimeout> | undefined;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let hasFocus = false;

  const isOpen = () => state === "open";
  const isClosed = () => state === "closed";

  function set(change: SessionFields): void {
    if (isClosed()) return;
    fields.set(change);
    if (trackFocus) fields.set({ hasFocus: hasFocus && fields.wanted.visible !== false });
    sendSoon();
  }

  function stopTyping(): void {
    clearTimeout(typingTimer);
    if (isClosed() || !fields.wanted.isTyping) return;
    fields.type(false);
    sendSoon();
  }

  /**
   * Opens it at the gateway, on a new connection or for the first time. One that is closed is taken over only
   * to be closed.
   */
  function request(): void {
    clearTimeout(retryTimer);
    if (isRequested || !connection.isConnected()) return;
    isRequested = true;
    if (!id) {
      // If the answer is lost, the gateway finds the session by the name.
      id = name = NEW_SESSION_PREFIX + Math.random();
      isNew = true;
    }
    fields.resyncAll();
    const patch = isClosed() ? undefined : fields.takePending();
    requestId = requests.request(
      { type: "open", kind, userId, sessionId: id, ...patch },
      (answer) => {
        if (answer.type !== "opened") throw protocolError(answer.type);
        opened(answer.sessionId);
        return undefined;
      },
      (error) => {
        if (isPassing(error) && !(isNew && isClosed())) return true;
        isRequested = false;
        if (isClosed()) id = undefined;
        else if (error.code !== "BAD_MESSAGE" || isNew) end({ cause: "error", error });
        else {
          // The session of the page before does not fit this state: opens another one.
          id = undefined;
          request();
        }
        return mayForget();
      },
    );
    if (isClosed()) tell();
  }

  /** The connection is lost. */
  function lost(): void {
    // If the gateway has closed it, the next request opens it again. By its name that is the same session,
    // so none is left behind if that answer is lost too.
    if (isTelling && id === namedId) id = name;
    isRequested = isTelling = isNew = false;
    if (isOpen()) state = "pending";
    mayForget();
  }

  function end(reason: SessionEnd): void {
    if (isClosed()) return;
    id = undefined;
    over();
    mayForget();
    queueMicrotask(() => onEnd?.(reason));
  }

  function opened(openedId: string): void {
    isRequested = isNew = false;
    if (id === name) namedId = openedId;
    id = openedId;
    // The app has closed it meanwhile.
    if (isClosed()) return isTelling ? undefined : tell();
    state = "open";
    fields.arrived();
    sendSoon();
  }

  /** Tells the gateway that it is closed. */
  function tell(): undefined {
    isTelling = true;
    const sessionId = id;
    const told = () => {
      isTelling = false;
      // Else it was told before it is open.
      if (!isRequested) id = undefined;
      return mayForget();
    };
    requests.request(
      { type: "close", sessionId },
      told,
      // It was opened as another one.
      (error) => isPassing(error) || (sessionId === id ? told() : tell()),
    );
  }

  /** Closed, and nothing of it is left at the gateway, as far as this client can know. */
  function mayForget(): undefined {
    if (isClosed() && !isRequested && !id) onForgotten();
  }

  /** Changes of one turn go out as one message. */
  function sendSoon(): void {
    if (willSend || !isOpen()) return;
    const waitMs = sentAt + UPDATE_INTERVAL_MS - now();
    if (waitMs > 0) return sendAfter(waitMs);
    willSend = true;
    queueMicrotask(send);
  }

  function sendAfter(ms: number): void {
    clearTimeout(sendTimer);
    willSend = true;
    sendTimer = setTimeout(send, ms);
  }

  function send(): void {
    willSend = false;
    // Everything is sent when it is open again.
    if (!isOpen()) return;
    if (connection.isCongested()) return sendAfter(UPDATE_INTERVAL_MS);
    const patch = fields.takePending();
    if (!patch) return;
    sentAt = now();
    connection.send({ type: "update", sessionId: id, ...patch });
    sendSoon();
  }

  function over(): void {
    state = "closed";
    for (const timer of [sendTimer, typingTimer, retryTimer]) clearTimeout(timer);
    onClosed();
  }

  /** What the app holds. */
  const session: Session = {
    get state() {
      return state;
    },
    get id() {
      return isOpen() ? id : undefined;
    },
    set,
    stopTyping,
    select: (selectedConversationId) => set({ selectedConversationId }),
    typing() {
      if (isClosed()) return;
      clearTimeout(typingTimer);
      typingTimer = setTimeout(stopTyping, TYPING_IDLE_MS);
      const calledAt = now();
      if (fields.wanted.isTyping && calledAt - typingSentAt < TYPING_REPEAT_MS) return;
      typingSentAt = calledAt;
      fields.type(true);
      sendSoon();
    },
    close() {
      if (isClosed()) return;
      const wasOpen = isOpen();
      over();
      if (wasOpen) tell();
      // A new session whose message has not gone out.
      else if (isNew && requests.withdraw(requestId)) {
        isRequested = false;
        id = undefined;
      }
      mayForget();
    },
  };
  fields.set(options);

  return {
    session,
    request,
    lost,
    end,

    /** Whether the page has the focus, for sessions that track it. */
    focus(pageHasFocus: boolean): void {
      hasFocus = pageHasFocus;
      if (trackFocus) set({});
    },

    /** The gateway has ignored messages, which came too fast: sends nothing for a while, then everything. */
    resyncAll(): void {
      if (!isOpen()) return;
      fields.resyncAll();
      sendAfter(UPDATE_INTERVAL_MS);
    },

    /** The gateway has ended it. */
    ended(cause: CloseCause): void {
      if (cause === "kicked") return end({ cause });
      // Another page has it. This page is still a session.
      id = undefined;
      lost();
      retryTimer = setTimeout(request, REPLACED_MS * (1 + Math.random()));
    },

    /** The page is left: the next one can resume the session. */
    stash(key: string): void {
      if (id) stash(key, id);
    },

    /** The page is back. A page in between may have stashed another id; else the id stays the same. */
    resume(stashed: string | undefined): void {
      id = stashed ?? id;
    },
  };
}
