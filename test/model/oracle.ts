import type { LeaveCause } from "../../src/protocol/codes.ts";

// The contract worked out the slow and obvious way: a list of sessions, walked for every question.

export interface OracleSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly kind: "background" | "widget";
  visible: boolean;
  selectedConversationId: string | null;
  hasFocus: boolean;
  isTyping: boolean;
  custom: Map<string, string>;
  typingUntil: number;
  /** The connection that holds it; undefined while it waits to be resumed, until `lostUntil`. */
  connection: unknown;
  lostUntil: number;
}

export interface OracleFilter {
  readonly includeBackgroundSessions?: boolean | null | undefined;
  readonly selectedConversationId?: string | null | undefined;
  readonly hasFocus?: boolean | null | undefined;
  readonly isTyping?: boolean | null | undefined;
  readonly userIds?: readonly string[] | null | undefined;
}

export interface Fields {
  readonly visible?: boolean | undefined;
  readonly selectedConversationId?: string | null | undefined;
  readonly hasFocus?: boolean | undefined;
  readonly isTyping?: boolean | undefined;
  readonly custom?: Readonly<Record<string, string | null>> | null | undefined;
}

export class Oracle {
  sessions: OracleSession[] = [];
  readonly #typingMs: number;
  readonly #windowMs: number;

  constructor(typingMs: number, windowMs: number) {
    this.#typingMs = typingMs;
    this.#windowMs = windowMs;
  }

  open(
    sessionId: string,
    userId: string,
    kind: "background" | "widget",
    fields: Fields,
    connection: unknown,
    now: number,
  ) {
    const session: OracleSession = {
      sessionId,
      userId,
      kind,
      visible: true,
      selectedConversationId: null,
      hasFocus: false,
      isTyping: false,
      custom: new Map(),
      typingUntil: 0,
      connection,
      lostUntil: 0,
    };
    this.sessions.push(session);
    this.update(session, fields, now);
  }

  update(session: OracleSession, fields: Fields, now: number): void {
    if (fields.visible !== undefined) session.visible = fields.visible;
    if (fields.hasFocus !== undefined) session.hasFocus = fields.hasFocus;
    const to = fields.selectedConversationId;
    if (to !== undefined && to !== session.selectedConversationId) {
      session.selectedConversationId = to;
      session.isTyping = false;
    }
    if (fields.isTyping !== undefined) {
      session.isTyping = fields.isTyping;
      session.typingUntil = now + this.#typingMs;
    }
    if (fields.custom === null) session.custom.clear();
    else {
      for (const [key, value] of Object.entries(fields.custom ?? {})) {
        if (value === null) session.custom.delete(key);
        else session.custom.set(key, value);
      }
    }
  }

  end(session: OracleSession): void {
    this.sessions = this.sessions.filter((each) => each !== session);
  }

  lose(session: OracleSession, now: number): void {
    session.connection = undefined;
    session.lostUntil = now + this.#windowMs;
  }

  /**
   * Which session makes room for one more of the user, who may have `max`: "full" if none may, undefined
   * if none has to.
   */
  sessionToEvict(userId: string, max: number): OracleSession | "full" | undefined {
    const own = this.sessions.filter((each) => each.userId === userId);
    if (own.length < max) return undefined;
    const lost = own.filter((each) => each.connection === undefined);
    return lost.sort((one, other) => one.lostUntil - other.lostUntil)[0] ?? "full";
  }

  /** Ends what is due: typing, then sessions whose window is over. Returns the ended sessions. */
  advance(now: number): OracleSession[] {
    for (const session of this.sessions)
      if (session.isTyping && session.typingUntil <= now) session.isTyping = false;
    const ended = this.sessions.filter((each) => each.connection === undefined && each.lostUntil <= now);
    for (const session of ended) this.end(session);
    return ended;
  }

  query(filter: OracleFilter): Record<string, unknown> {
    const result: Record<string, unknown> = Object.create(null);
    for (const userId of new Set(this.sessions.map((each) => each.userId))) {
      if (filter.userIds && !filter.userIds.includes(userId)) continue;
      const own = this.sessions.filter((each) => each.userId === userId);
      const visible = own.filter(isVisible);
      const background = own.filter((each) => !isVisible(each));
      const widgets = visible.filter((each) => matches(each, filter));
      const listed = filter.includeBackgroundSessions
        ? background.filter((each) => matches(each, filter))
        : [];
      const isIn = visible.length > 0 ? widgets.length > 0 : listed.length > 0;
      if (!isIn) continue;
      result[userId] = {
        status: "online",
        backgroundSessions: listed.map(report),
        widgets: widgets.map(report),
      };
    }
    return result;
  }

  counts() {
    const visible = this.sessions.filter(isVisible);
    const reported = this.sessions.map(report);
    return {
      users: new Set(this.sessions.map((each) => each.userId)).size,
      sessions: this.sessions.length,
      widgets: visible.length,
      backgroundSessions: this.sessions.length - visible.length,
      focused: reported.filter((each) => each.hasFocus).length,
      typing: reported.filter((each) => each.isTyping).length,
    };
  }
}

/** Why each user last left each filter's result, followed change by change. */
export class CauseBook {
  readonly #last = new Map<string, Set<LeaveCause>>();

  note(
    filterKey: string,
    before: Record<string, unknown>,
    after: Record<string, unknown>,
    cause: LeaveCause,
  ): void {
    for (const userId of Object.keys(before)) {
      if (!(userId in after)) this.#last.set(`${filterKey} ${userId}`, new Set([cause]));
    }
  }

  /**
   * Several sessions of a user ended at the same time, in an order that nobody promises. Between two of these
   * ends the user may have been in the result once more, so this cause is as true as the one before.
   */
  alsoTrue(filterKey: string, userId: string, cause: LeaveCause): void {
    this.#last.get(`${filterKey} ${userId}`)?.add(cause);
  }

  isTrue(filterKey: string, userId: string, cause: LeaveCause | undefined): boolean {
    return cause !== undefined && this.#last.get(`${filterKey} ${userId}`)?.has(cause) === true;
  }
}

function isVisible(session: OracleSession): boolean {
  return session.kind === "widget" && session.visible;
}

function report(session: OracleSession) {
  const hidden = session.kind === "widget" && !session.visible;
  return {
    selectedConversationId: session.selectedConversationId,
    custom: Object.fromEntries(session.custom),
    hasFocus: !hidden && session.hasFocus,
    isTyping: !hidden && session.isTyping,
    sessionId: session.sessionId,
  };
}

function matches(session: OracleSession, filter: OracleFilter): boolean {
  const { hasFocus, isTyping, selectedConversationId } = report(session);
  if (filter.selectedConversationId !== undefined && filter.selectedConversationId !== selectedConversationId)
    return false;
  if (typeof filter.hasFocus === "boolean" && filter.hasFocus !== hasFocus) return false;
  return !(typeof filter.isTyping === "boolean" && filter.isTyping !== isTyping);
}
