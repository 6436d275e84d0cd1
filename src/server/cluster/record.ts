import { MAX_VERSION, type Profile } from "../../core/sessions/profile.ts";
import {
  type Custom,
  countKeys,
  MAX_OWNERSHIP_NUMBER,
  NEW_SESSION,
  type RemoteSession,
  type Session,
  type SessionState,
} from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import {
  customBytes,
  customProblem,
  idProblem,
  MAX_CUSTOM_BYTES,
  MAX_STATUS_EMOJI_LENGTH,
  MAX_STATUS_TEXT_LENGTH,
  statusTextProblem,
} from "../../protocol/rules.ts";
import type { Availability } from "../../protocol/wire.ts";

/** What a record says about one session: how it is, or why it ended. */
export type SessionRecord =
  | { readonly kind: "row"; readonly session: RemoteSession }
  | { readonly kind: "end"; readonly cause: EndCause };

/** What a record says about a user. */
export interface ProfileRecord {
  readonly kind: "profile";
  readonly userId: string;
  readonly profile: Profile;
}

/** A record of which only the app was read so far, as this node may not serve that app. */
export interface ParsedRecord {
  readonly appId: string;
  readonly parts: readonly unknown[];
}

/**
 * The first element of every record. A node skips other versions. More elements at the end are no new
 * version.
 */
const VERSION = 1;
const VISIBLE = 1;
const HAS_FOCUS = 2;
const IS_TYPING = 4;
const IS_IDLE = 8;
const ALL_FLAGS = 15;

const CAUSES: readonly unknown[] = [
  "closed",
  "timeout",
  "replaced",
  "kicked",
  "node-lost",
] satisfies EndCause[];

/**
 * Longer than any record: 32 keys and values of `custom`, and ids, in characters that JSON escapes to six.
 */
export const MAX_RECORD_CHARS = 131_072;

/**
 * `[1,"app","alice","widget",1790000000000,0,5,"c1",{"page":"inbox"}]`: version, app, user, kind, when it was
 * opened, epoch, flags, conversation, `custom`. At the end stands when its socket was lost, if the other
 * nodes have to know.
 */
export function encodeRow(appId: string, session: Session, epoch = session.ownership!.epoch): string {
  const { user, kind, ownership, selectedConversationId, custom } = session;
  const flags = flagsOf(session);
  const { opened, lostAt } = ownership!;
  const { userId } = user;
  const row = [VERSION, appId, userId, kind, opened, epoch, flags, selectedConversationId, custom];
  return JSON.stringify(lostAt === undefined ? row : [...row, lostAt]);
}

function flagsOf({ visible, hasFocus, isTyping, isIdle }: Session): number {
  return (
    (visible ? VISIBLE : 0) | (hasFocus ? HAS_FOCUS : 0) | (isTyping ? IS_TYPING : 0) | (isIdle ? IS_IDLE : 0)
  );
}

/** `[1,"app",null,"closed"]` */
export function encodeEnd(appId: string, cause: EndCause): string {
  return JSON.stringify([VERSION, appId, null, cause]);
}

/** Under which the log has the profile of a user. No session id begins like this. */
export function profileKey(appId: string, userId: string): string {
  return JSON.stringify([appId, userId]);
}

/**
 * `[1,"app","alice","profile",1832960000000000,1792592000000,"busy",null,null,null,null,1790000000000]`:
 * version of the record, app, user, kind, version of the profile, until when it is kept, availability, text,
 * emoji, when it expires, when the user was last seen, when the profile was used. `keptUntil`: in
 * milliseconds since 1970.
 */
export function encodeProfile(appId: string, userId: string, profile: Profile, keptUntil: number): string {
  const { version, status, lastSeenAt, usedAt } = profile;
  const { availability, text, emoji, expiresAt } = status;
  const said = [availability, text, emoji, expiresAt, lastSeenAt].map((value) => value ?? null);
  return JSON.stringify([VERSION, appId, userId, "profile", version, keptUntil, ...said, usedAt]);
}

/** Returns undefined for what is not a record, or one of another version. Never throws. */
export function parseRecord(text: string): ParsedRecord | undefined {
  if (text.length > MAX_RECORD_CHARS) return undefined;
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || parts[0] !== VERSION || typeof parts[1] !== "string") return undefined;
  return { appId: parts[1], parts };
}

/**
 * Reads the rest of a record; undefined if a value is not allowed. `known`: the session so far, if it is
 * known. What stays the same is not checked again.
 */
export function readRecord({ parts }: ParsedRecord, known: Session | undefined): SessionRecord | undefined {
  const [, , userId, kind, opened, epoch, flags, selectedConversationId, custom, lostAt] = parts;
  if (userId === null) return CAUSES.includes(kind) ? { kind: "end", cause: kind as EndCause } : undefined;
  if (!isId(userId, known?.user.userId) || !(kind === "background" || kind === "widget")) return undefined;
  if (
    !isWithin(opened, MAX_OWNERSHIP_NUMBER) ||
    !isWithin(epoch, MAX_OWNERSHIP_NUMBER) ||
    !isWithin(flags, ALL_FLAGS)
  ) {
    return undefined;
  }
  const isNowhere = selectedConversationId === null;
  if (!isNowhere && !isId(selectedConversationId, known?.selectedConversationId)) return undefined;
  const checked = checkCustom(custom, known);
  if (checked === undefined) return undefined;
  const state = {
    visible: (flags & VISIBLE) !== 0,
    selectedConversationId,
    hasFocus: (flags & HAS_FOCUS) !== 0,
    isTyping: (flags & IS_TYPING) !== 0,
    isIdle: (flags & IS_IDLE) !== 0,
    custom: checked.custom,
    customBytes: checked.customBytes,
  };
  // Anything else in its place belongs to a later version.
  const lost = isWithin(lostAt, MAX_OWNERSHIP_NUMBER) ? lostAt : undefined;
  return { kind: "row", session: { userId, kind, opened, epoch: epoch, lostAt: lost, state } };
}

/** Whether a record is about a profile, valid or not. */
export function isOfProfile({ parts }: ParsedRecord): boolean {
  return parts[2] !== null && parts[3] === "profile";
}

/** Reads the rest of a record about a profile; undefined if a value is not allowed. */
export function readProfile({ parts }: ParsedRecord): ProfileRecord | undefined {
  const [, , userId, , version, , availability, text, emoji, expiresAt, lastSeenAt, usedAt] = parts;
  if (!isId(userId, undefined) || !isWithin(version, MAX_VERSION)) return undefined;
  if (!isAvailability(availability)) return undefined;
  if (!isTextOrNull(text, MAX_STATUS_TEXT_LENGTH) || !isTextOrNull(emoji, MAX_STATUS_EMOJI_LENGTH)) {
    return undefined;
  }
  if (!isTimeOrNull(expiresAt) || !isTimeOrNull(lastSeenAt)) return undefined;
  if (!isWithin(usedAt, MAX_OWNERSHIP_NUMBER)) return undefined;
  const status = {
    availability,
    text: text || undefined,
    emoji: emoji || undefined,
    expiresAt: expiresAt ?? undefined,
  };
  const profile = { status, lastSeenAt: lastSeenAt ?? undefined, version, usedAt };
  return { kind: "profile", userId, profile };
}

const AVAILABILITIES: readonly unknown[] = [
  "available",
  "away",
  "busy",
  "dnd",
  "invisible",
] satisfies Availability[];

function isAvailability(value: unknown): value is Availability {
  return AVAILABILITIES.includes(value);
}

function isTextOrNull(value: unknown, max: number): value is string | null {
  return value === null || statusTextProblem(value, max) === undefined;
}

function isTimeOrNull(value: unknown): value is number | null {
  return value === null || isWithin(value, MAX_OWNERSHIP_NUMBER);
}

function isId(value: unknown, known: string | null | undefined): value is string {
  return typeof value === "string" && (value === known || idProblem(value) === undefined);
}

function isWithin(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

type CheckedCustom = Pick<SessionState, "custom" | "customBytes">;

/** The sum over the sessions of a user is not checked: all nodes show what one node has let in. */
function checkCustom(custom: unknown, known: CheckedCustom | undefined): CheckedCustom | undefined {
  if (isEmptyObject(custom)) return NEW_SESSION;
  if (known !== undefined && isEqual(custom, known.custom)) return known;
  if (customProblem(custom) !== undefined) return undefined;
  const fields = custom as Record<string, string | null>;
  if (Object.values(fields).includes(null)) return undefined;
  const checked: Custom = Object.freeze(Object.assign(Object.create(null), fields));
  const bytes = customBytes(checked);
  return bytes > MAX_CUSTOM_BYTES ? undefined : { custom: checked, customBytes: bytes };
}

/** Whether `custom` is what was checked before. */
function isEqual(custom: unknown, known: Custom): boolean {
  if (typeof custom !== "object" || custom === null || Array.isArray(custom)) return false;
  let keys = 0;
  for (const key in custom) {
    if ((custom as Record<string, unknown>)[key] !== known[key]) return false;
    keys++;
  }
  return keys === countKeys(known);
}

/** A shortcut: most sessions have no custom fields. */
function isEmptyObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  for (const _ in value) return false;
  return true;
}
