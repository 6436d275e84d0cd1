import type { EncodedEntry } from "../../protocol/codec.ts";
import { MAX_LISTED_BYTES, textBytes } from "../../protocol/rules.ts";
import type { PresenceSession } from "../../protocol/wire.ts";
import { append } from "../collections/append.ts";
import {
  ALL_FIELDS,
  FIELD_BIT,
  FOCUSED_BIT,
  type Session,
  type SessionMatcher,
  TYPING_BIT,
  type User,
  VISIBLE_BIT,
  wasOpenedBefore,
} from "./session.ts";
import { DEFAULT_STATUS, effectiveStatus, STATUS_BIT, type Status, type StatusSet } from "./status.ts";

/** The table's own record of a user. Everyone else reads a `User`. */
export class UserRow implements User {
  // What a filter reads first stands together: where there are many users, each line of memory has its cost.
  readonly userId: string;
  statusBit: StatusSet;
  visibleWidgets = 0;
  isInvisible: boolean;
  sessions: Session[] = [];
  customBytes = 0;
  status: Status;
  /** How many of the sessions are idle. */
  idleSessions = 0;
  hasNoNamedViews = false;
  lastWalk = 0;
  /**
   * Entries encoded since the last change, in threes: the set of sessions that an entry lists, the set of
   * fields, and the text.
   */
  #entries: (number | string)[] | undefined;
  #cachedChars = 0;

  constructor(userId: string, status: Status = DEFAULT_STATUS) {
    this.userId = userId;
    this.status = status;
    this.statusBit = STATUS_BIT[effectiveStatus(status.availability, false)];
    this.isInvisible = status.availability === "invisible";
  }

  /** Must be called when the status, or the number of sessions or of idle ones, has changed. */
  updateStatusBit(): void {
    this.statusBit = STATUS_BIT[this.#effectiveStatus];
    this.isInvisible = this.status.availability === "invisible";
  }

  get #effectiveStatus() {
    const { sessions, idleSessions } = this;
    return effectiveStatus(this.status.availability, idleSessions > 0 && idleSessions === sessions.length);
  }

  /** Adds a session: at the end, or before the sessions that were opened after it on other nodes. */
  add(session: Session): void {
    let slot = this.sessions.length;
    while (slot > 0 && wasOpenedBefore(session, this.sessions[slot - 1]!)) slot--;
    if (slot < this.sessions.length) this.sessions.splice(slot, 0, session);
    else this.sessions = append(this.sessions, session);
    this.invalidateCache();
  }

  /** Must be called at each change of a session. */
  invalidateCache(): void {
    this.#entries = undefined;
    this.#cachedChars = 0;
  }

  /**
   * Encoded once for each change, set of matching sessions and set of fields: diffs, snapshots and results
   * share the text.
   */
  encodedEntry(matcher: SessionMatcher): EncodedEntry {
    const { fields } = matcher;
    const listed = fields === 0 ? 0 : this.#listed(matcher);
    this.#entries ??= [];
    const entries = this.#entries;
    for (let i = 0; i < entries.length; i += 3)
      if (entries[i] === listed && entries[i + 1] === fields) return entries[i + 2] as EncodedEntry;
    const entry = this.#encode(matcher);
    if (entries.length < 3 * MAX_CACHED && this.#cachedChars < MAX_CACHED_CHARS) {
      entries.push(listed, fields, entry);
      this.#cachedChars += entry.length;
    }
    return entry;
  }

  /**
   * The set of sessions that match, one bit each: a number if they fit, else a string with `BITS` bits per
   * UTF-16 unit.
   */
  #listed(matcher: SessionMatcher): number | string {
    const { sessions } = this;
    let text = "";
    let bits = 0;
    for (let i = 0; i < sessions.length; i++) {
      if (i > 0 && i % BITS === 0) {
        text += String.fromCharCode(bits);
        bits = 0;
      }
      if (matcher.matches(sessions[i]!)) bits |= 1 << (i % BITS);
    }
    return sessions.length <= BITS ? bits : text + String.fromCharCode(bits);
  }

  #encode(matcher: SessionMatcher): EncodedEntry {
    const head = this.#head();
    const { fields } = matcher;
    if (fields === 0) return `${head}}`;
    let background = "";
    let widgets = "";
    let bytes = 0;
    for (const session of this.sessions) {
      if (!matcher.matches(session)) continue;
      // A few sessions always fit. A user has more only if the settings allow it, or if several nodes
      // admitted sessions at the same time.
      if (this.sessions.length > SURELY_FIT) bytes += bytesOf(session);
      if (bytes > MAX_LISTED_BYTES) break;
      if ((session.flagBits & VISIBLE_BIT) !== 0)
        widgets += (widgets === "" ? "" : ",") + encodeSession(session, fields);
      else background += (background === "" ? "" : ",") + encodeSession(session, fields);
    }
    // `join` makes a flat string. V8 stores a concatenation as a tree of its parts, and flattens it at use.
    return [head, ',"backgroundSessions":[', background, '],"widgets":[', widgets, "]}"].join("");
  }

  /** `"alice":{"status":"busy","statusText":"in a call"`, the part that is the same for all matchers. */
  #head(): string {
    const { text, emoji } = this.status;
    let head = `${JSON.stringify(this.userId)}:{"status":"${this.#effectiveStatus}"`;
    if (text !== undefined) head += `,"statusText":${JSON.stringify(text)}`;
    if (emoji !== undefined) head += `,"statusEmoji":${JSON.stringify(emoji)}`;
    return head;
  }
}

/**
 * The most entries cached for a user. Filters differ in far fewer sets of sessions; others are encoded each
 * time.
 */
const MAX_CACHED = 32;
/** No more is cached for a user beyond this many UTF-16 units, so one user cannot hold many large entries. */
const MAX_CACHED_CHARS = 1024 * 1024;
/** Bits that a set of sessions uses of one UTF-16 unit. */
const BITS = 15;

/** Up to this many sessions always fit into a message. */
const SURELY_FIT = 100;
/** Bytes of a session besides its texts: `"selectedConversationId":`, `false` and so on. */
const NAMES_BYTES = 100;

/** An upper estimate of a session's bytes in an entry. */
function bytesOf({ selectedConversationId, sessionId, customBytes }: Session): number {
  return NAMES_BYTES + textBytes(selectedConversationId ?? "") + textBytes(sessionId) + customBytes;
}

function encodeSession(session: Session, fields: number): string {
  if (fields !== ALL_FIELDS) return encodeFields(session, fields);
  const { selectedConversationId, custom } = session;
  return `{"selectedConversationId":${JSON.stringify(selectedConversationId)},"custom":${JSON.stringify(custom)},"hasFocus":${(session.flagBits & FOCUSED_BIT) !== 0},"isTyping":${(session.flagBits & TYPING_BIT) !== 0},"sessionId":${JSON.stringify(session.sessionId)}}`;
}

function encodeFields(session: Session, fields: number): string {
  const { selectedConversationId, custom, sessionId, flagBits } = session;
  const chosen: Partial<PresenceSession> = {
    ...((fields & FIELD_BIT.selectedConversationId) !== 0 && { selectedConversationId }),
    ...((fields & FIELD_BIT.custom) !== 0 && { custom }),
    ...((fields & FIELD_BIT.hasFocus) !== 0 && { hasFocus: (flagBits & FOCUSED_BIT) !== 0 }),
    ...((fields & FIELD_BIT.isTyping) !== 0 && { isTyping: (flagBits & TYPING_BIT) !== 0 }),
    ...((fields & FIELD_BIT.sessionId) !== 0 && { sessionId }),
  };
  return JSON.stringify(chosen);
}
