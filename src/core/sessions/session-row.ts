import type { SessionKind } from "../../protocol/wire.ts";
import type {
  Custom,
  FlagBits,
  Ownership,
  Session,
  SessionConnection,
  SessionState,
  User,
} from "./session.ts";
import { flagBitsOf } from "./session.ts";

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * One row of the table. The row holds the state itself: an update mutates one object and allocates nothing
 * long-lived. Only the table and its buckets know this class; everyone else reads a `Session`.
 */
export class SessionRow implements Session {
  readonly sessionId: string;
  readonly user: User;
  readonly kind: SessionKind;
  visible: boolean;
  selectedConversationId: string | null;
  hasFocus: boolean;
  isTyping: boolean;
  isIdle: boolean;
  custom: Custom;
  customBytes: number;
  flagBits: FlagBits;
  connection: SessionConnection | undefined;
  readonly ownership: Writable<Ownership> | undefined;
  /** Its index in the bucket of all sessions and in that of its conversation, see bucket.ts. */
  slotInAll = -1;
  slotInConversation = -1;

  constructor(
    sessionId: string,
    user: User,
    kind: SessionKind,
    state: SessionState,
    connection: SessionConnection | undefined,
    ownership: Ownership | undefined,
  ) {
    this.sessionId = sessionId;
    this.user = user;
    this.kind = kind;
    this.visible = state.visible;
    this.selectedConversationId = state.selectedConversationId;
    this.hasFocus = state.hasFocus;
    this.isTyping = state.isTyping;
    this.isIdle = state.isIdle;
    this.custom = state.custom;
    this.customBytes = state.customBytes;
    this.flagBits = flagBitsOf(kind, state, user.isInvisible);
    this.connection = connection;
    this.ownership = ownership;
  }

  setState(state: SessionState, flagBits: FlagBits): void {
    this.visible = state.visible;
    this.selectedConversationId = state.selectedConversationId;
    this.hasFocus = state.hasFocus;
    this.isTyping = state.isTyping;
    this.isIdle = state.isIdle;
    this.custom = state.custom;
    this.customBytes = state.customBytes;
    this.flagBits = flagBits;
  }
}
