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
  isIdle: boolean;
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
  readonly status?: readonly string[] | null | undefined;
  readonly custom?: Readonly<Record<string, string | readonly string[]>> | null | undefined;
  readonly fields?: readonly string[] | null | undefined;
  readonly includeInvisible?: boolean | null | undefined;
}

export interface OracleStatus {
  availability: string;
  text: string | undefined;
  emoji: string | undefined;
  expiresAt: number | undefined;
}

const AVAILABLE: OracleStatus = {
  availability: "available",
  text: undefined,
  emoji: undefined,
  expiresAt: undefined,
};

export interface Fields {
  readonly visible?: boolean | undefined;
  readonly selectedConversationId?: string | null | undefined;
  readonly hasFocus?: boolean | undefined;
  readonly isTyping?: boolean | undefined;
  readonly isIdle?: boolean | undefined;
  readonly custom?: Readonly<Record<string, string | null>> | null | undefined;
}

export class Oracle {
  sessions: OracleSession[] = [];
  readonly statuses = new Map<string, OracleStatus>();
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
      isIdle: false,
      custom: new Map(),
      typingUntil: 0,
      connection,
      lostUntil: 0,
    };
    this.sessions.push(session);
    this.update(session, fields, now);
  }

  update(session: OracleSession, fields: Fields, now: number): void {
    if (fields.isTyping === true || (fields.hasFocus === true && !session.hasFocus)) session.isIdle = false;
    if (fields.isIdle !== undefined) session.isIdle = fields.isIdle;
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
      const { availability, text, emoji } = this.statusOf(userId);
      const isIdle = own.every((each) => each.isIdle);
      const status = availability !== "available" ? availability : isIdle ? "idle" : "online";
      if (status === "invisible" && (!filter.includeInvisible || filter.status)) continue;
      if (filter.status && !filter.status.includes(status)) continue;
      const visible = own.filter(isVisible);
      const background = own.filter((each) => !isVisible(each));
      const widgets = visible.filter((each) => matches(each, filter));
      const listed = filter.includeBackgroundSessions
        ? background.filter((each) => matches(each, filter))
        : [];
      const isIn = visible.length > 0 ? widgets.length > 0 : listed.length > 0;
      if (!isIn) continue;
      const describe = (session: OracleSession) => pickFields(report(session), filter.fields);
      result[userId] = {
        status,
        ...(text && { statusText: text }),
        ...(emoji && { statusEmoji: emoji }),
        ...(filter.fields?.length === 0
          ? {}
          : { backgroundSessions: listed.map(describe), widgets: widgets.map(describe) }),
      };
    }
    return result;
  }

  statusOf(userId: string): OracleStatus {
    return this.statuses.get(userId) ?? AVAILABLE;
  }

  /** Sets the fields of a status that are given; null resets one. */
  declare(
    userId: string,
    patch: {
      readonly availability?: string | null | undefined;
      readonly text?: string | null | undefined;
      readonly emoji?: string | null | undefined;
      readonly expiresInMs?: number | null | undefined;
    },
    wallNow: number,
  ): void {
    const status = { ...this.statusOf(userId) };
    if (patch.availability !== undefined) status.availability = patch.availability ?? "available";
    if (patch.text !== undefined) status.text = patch.text ?? undefined;
    if (patch.emoji !== undefined) status.emoji = patch.emoji ?? undefined;
    if (patch.expiresInMs === null) status.expiresAt = undefined;
    else if (patch.expiresInMs !== undefined) status.expiresAt = wallNow + patch.expiresInMs;
    this.statuses.set(userId, status);
  }

  /** Statuses whose time is over are the default again. */
  expireStatuses(wallNow: number): void {
    for (const [userId, { expiresAt }] of this.statuses) {
      if (expiresAt !== undefined && expiresAt <= wallNow) this.statuses.delete(userId);
    }
  }

  counts() {
    const sessions = this.sessions.filter((each) => this.statusOf(each.userId).availability !== "invisible");
    const visible = sessions.filter(isVisible);
    const reported = sessions.map(report);
    return {
      users: new Set(sessions.map((each) => each.userId)).size,
      sessions: sessions.length,
      widgets: visible.length,
      backgroundSessions: sessions.length - visible.length,
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

function pickFields(session: Record<string, unknown>, fields: readonly string[] | null | undefined) {
  if (!fields) return session;
  return Object.fromEntries(Object.entries(session).filter(([name]) => fields.includes(name)));
}

function matches(session: OracleSession, filter: OracleFilter): boolean {
  for (const [key, values] of Object.entries(filter.custom ?? {})) {
    const value = session.custom.get(key);
    if (value === undefined || ![values].flat().includes(value)) return false;
  }
  const { hasFocus, isTyping, selectedConversationId } = report(session);
  if (filter.selectedConversationId !== undefined && filter.selectedConversationId !== selectedConversationId)
    return false;
  if (typeof filter.hasFocus === "boolean" && filter.hasFocus !== hasFocus) return false;
  return !(typeof filter.isTyping === "boolean" && filter.isTyping !== isTyping);
}
