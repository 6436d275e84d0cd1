import type { SessionKind } from "../../protocol/wire.ts";
import type { Custom, Origin, Session, SessionConnection, SessionState, Shape, User } from "./session.ts";
import { shapeOf } from "./session.ts";

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * One row of the table. It is its own state: an update writes to one object and allocates nothing long-lived. Only the
 * table and its buckets know this class; everyone else reads a `Session`.
 */
export class SessionRow implements Session {
  readonly sessionId: string;
  readonly user: User;
  readonly kind: SessionKind;
  visible: boolean;
  selectedConversationId: string | null;
  hasFocus: boolean;
  isTyping: boolean;
  custom: Custom;
  customBytes: number;
  shape: Shape;
  holder: SessionConnection | undefined;
  readonly origin: Writable<Origin> | undefined;
  /** Its index in the bucket of all sessions and in that of its conversation, see bucket.ts. */
  placeInAll = -1;
  placeInConversation = -1;

  constructor(
    sessionId: string,
    user: User,
    kind: SessionKind,
    state: SessionState,
    holder: SessionConnection | undefined,
    origin: Origin | undefined,
  ) {
    this.sessionId = sessionId;
    this.user = user;
    this.kind = kind;
    this.visible = state.visible;
    this.selectedConversationId = state.selectedConversationId;
    this.hasFocus = state.hasFocus;
    this.isTyping = state.isTyping;
    this.custom = state.custom;
    this.customBytes = state.customBytes;
    this.shape = shapeOf(kind, state);
    this.holder = holder;
    this.origin = origin;
  }

  setState(state: SessionState, shape: Shape): void {
    this.visible = state.visible;
    this.selectedConversationId = state.selectedConversationId;
    this.hasFocus = state.hasFocus;
    this.isTyping = state.isTyping;
    this.custom = state.custom;
    this.customBytes = state.customBytes;
    this.shape = shape;
  }
}
