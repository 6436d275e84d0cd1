import type { EncodedEntry } from "../../protocol/codec.ts";
import { MAX_LISTED_BYTES, textBytes } from "../../protocol/rules.ts";
import { append } from "../collections/append.ts";
import {
  FOCUSED_BIT,
  type Session,
  type SessionMatcher,
  TYPING_BIT,
  type User,
  VISIBLE_BIT,
  wasOpenedBefore,
} from "./session.ts";

/** The table's own record of a user. Everyone else reads a `User`. */
export class UserRow implements User {
  readonly userId: string;
  sessions: Session[] = [];
  visibleWidgets = 0;
  customBytes = 0;
  hasNoNamedViews = false;
  lastWalk = 0;
  /** Entries encoded since the last change: pairs of the set of sessions that one lists, and its text. */
  #entries: (number | string)[] | undefined;
  #cachedChars = 0;

  constructor(userId: string) {
    this.userId = userId;
  }

  /** Adds a session: at the end, unless another node opened it before others that are known already. */
  add(session: Session): void {
    let slot = this.sessions.length;
    while (slot > 0 && wasOpenedBefore(session, this.sessions[slot - 1]!)) slot--;
    if (slot < this.sessions.length) this.sessions.splice(slot, 0, session);
    else this.sessions = append(this.sessions, session);
    this.invalidateCache();
  }

  /** To be called at each change of a session. */
  invalidateCache(): void {
    this.#entries = undefined;
    this.#cachedChars = 0;
  }

  /**
   * It is made once per change and set of matching sessions: the same text serves diffs, snapshots and
   * answers.
   */
  encodedEntry(matcher: SessionMatcher): EncodedEntry {
    const listed = this.#listed(matcher);
    this.#entries ??= [];
    const entries = this.#entries;
    for (let i = 0; i < entries.length; i += 2)
      if (entries[i] === listed) return entries[i + 1] as EncodedEntry;
    const entry = this.#encode(matcher);
    if (entries.length < 2 * MAX_CACHED && this.#cachedChars < MAX_CACHED_CHARS) {
      entries.push(listed, entry);
      this.#cachedChars += entry.length;
    }
    return entry;
  }

  /**
   * Which sessions match: a bit for each, in a number where they fit, else in a text of as many bits a unit.
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
    let background = "";
    let widgets = "";
    let bytes = 0;
    for (const session of this.sessions) {
      if (!matcher.matches(session)) continue;
      // Few surely fit. There are more only where settings allow them, or several nodes let them in at once.
      if (this.sessions.length > SURELY_FIT) bytes += bytesOf(session);
      if (bytes > MAX_LISTED_BYTES) break;
      if ((session.statusBits & VISIBLE_BIT) !== 0)
        widgets += (widgets === "" ? "" : ",") + encodeSession(session);
      else background += (background === "" ? "" : ",") + encodeSession(session);
    }
    const id = JSON.stringify(this.userId);
    // Joined, and so in one piece: V8 keeps a text that was added up as a tree of its parts, and goes over it
    // each time.
    return [
      id,
      ':{"status":"online","backgroundSessions":[',
      background,
      '],"widgets":[',
      widgets,
      "]}",
    ].join("");
  }
}

/** Entries kept per user: filters differ in far fewer sets of sessions. Others are encoded each time. */
const MAX_CACHED = 32;
/** Once these are kept, in UTF-16 units, no more is: one user may not hold many large ones. */
const MAX_CACHED_CHARS = 1024 * 1024;
/** Sessions for which a bit is in one unit of a text. */
const BITS = 15;

/** So many sessions are listed without a look at their size. */
const SURELY_FIT = 100;
/** What is around the texts of a session, with what is false: `"selectedConversationId":` and so on. */
const NAMES_BYTES = 100;

/** What a session takes in a value, or a little more. */
function bytesOf({ selectedConversationId, sessionId, customBytes }: Session): number {
  return NAMES_BYTES + textBytes(selectedConversationId ?? "") + textBytes(sessionId) + customBytes;
}

function encodeSession(session: Session): string {
  const { selectedConversationId, custom } = session;
  return `{"selectedConversationId":${JSON.stringify(selectedConversationId)},"custom":${JSON.stringify(custom)},"hasFocus":${(session.statusBits & FOCUSED_BIT) !== 0},"isTyping":${(session.statusBits & TYPING_BIT) !== 0},"sessionId":${JSON.stringify(session.sessionId)}}`;
}
