import type { Member } from "../protocol/codec.ts";
import { append } from "../shared/append.ts";
import { FOCUSED_SHAPE, isBefore, type Session, TYPING_SHAPE, VISIBLE_SHAPE } from "./session.ts";

/** Chooses the sessions that a value lists. */
export interface SessionMatcher {
  matches(session: Session<unknown>): boolean;
}

/** A user who is online: at least one session. */
export class User<Holder> {
  readonly userId: string;
  /** In the order in which they were opened. */
  sessions: Session<Holder>[] = [];
  /** How many of the sessions are visible widgets. */
  visibleWidgets = 0;
  /** The bytes of the `custom` of all sessions, kept by the table. */
  customBytes = 0;
  /**
   * No view asks for this user by name, in any conversation. Kept by the views: each change would be looked up among all
   * names that they ask for, and most are not there.
   */
  isUnasked = false;
  /** JSON made since the last change, by which sessions it lists: pairs of a bit set and a text. */
  #members: (number | Member)[] | undefined;

  constructor(userId: string) {
    this.userId = userId;
  }

  /** Adds a session: at the end, unless another node opened it before others that are known already. */
  add(session: Session<Holder>): void {
    let place = this.sessions.length;
    while (place > 0 && isBefore(session, this.sessions[place - 1]!)) place--;
    if (place < this.sessions.length) this.sessions.splice(place, 0, session);
    else this.sessions = append(this.sessions, session);
    this.forget();
  }

  /** To be called at each change of a session. */
  forget(): void {
    this.#members = undefined;
  }

  /**
   * The user's entry in `data`, `"alice":{"status":"online",…}`, listing the sessions that match. It is made once per
   * change and set of listed sessions, and the same string serves diffs, snapshots and answers.
   */
  member(matcher: SessionMatcher): Member {
    const { sessions } = this;
    if (sessions.length > 31) return this.#encode(matcher);
    let listed = 0;
    for (let i = 0; i < sessions.length; i++) if (matcher.matches(sessions[i]!)) listed |= 1 << i;
    this.#members ??= [];
    const members = this.#members;
    for (let i = 0; i < members.length; i += 2) if (members[i] === listed) return members[i + 1] as Member;
    const member = this.#encode(matcher);
    if (members.length < 2 * MAX_CACHED) members.push(listed, member);
    return member;
  }

  #encode(matcher: SessionMatcher): Member {
    let background = "";
    let widgets = "";
    for (const session of this.sessions) {
      if (!matcher.matches(session)) continue;
      if ((session.shape & VISIBLE_SHAPE) !== 0)
        widgets += (widgets === "" ? "" : ",") + encodeSession(session);
      else background += (background === "" ? "" : ",") + encodeSession(session);
    }
    const id = JSON.stringify(this.userId);
    // Joined, and so in one piece: V8 keeps a text that was added up as a tree of its parts, and goes over it each time.
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

/** Texts kept per user; filters that list other sets of sessions than these get theirs made each time. */
const MAX_CACHED = 8;

function encodeSession(session: Session<unknown>): string {
  const { selectedConversationId, custom } = session;
  return `{"selectedConversationId":${JSON.stringify(selectedConversationId)},"custom":${JSON.stringify(custom)},"hasFocus":${(session.shape & FOCUSED_SHAPE) !== 0},"isTyping":${(session.shape & TYPING_SHAPE) !== 0},"sessionId":${JSON.stringify(session.sessionId)}}`;
}
