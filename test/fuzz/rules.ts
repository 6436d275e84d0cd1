// A second, independent description of valid messages, so that one mistake does not hide another.

type Raw = Record<string, unknown>;

export function isId(value: unknown): value is string {
  if (typeof value !== "string" || value === "" || value.length > 255) return false;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return false;
    if (unit >= 0xdc00 && unit <= 0xdfff) return false;
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = value.charCodeAt(++i);
    if (!(next >= 0xdc00 && next <= 0xdfff)) return false;
  }
  return true;
}

export const isObject = (value: unknown): value is Raw =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isFlag = (value: unknown) => value === true || value === false;
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isAbsent = (value: unknown) => value === undefined;
const isNothing = (value: unknown) => value === undefined || value === null;

const FILTER_FIELDS: readonly string[] = [
  "includeBackgroundSessions",
  "selectedConversationId",
  "hasFocus",
  "isTyping",
  "userIds",
  "status",
  "custom",
  "fields",
  "includeInvisible",
  "expandUser",
];

export function isFilter(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (!Object.keys(value).every((field) => FILTER_FIELDS.includes(field))) return false;
  const { includeBackgroundSessions, selectedConversationId, hasFocus, isTyping, userIds } = value;
  return (
    [includeBackgroundSessions, hasFocus, isTyping].every((each) => isNothing(each) || isFlag(each)) &&
    (isNothing(selectedConversationId) || isId(selectedConversationId)) &&
    (isNothing(userIds) || (Array.isArray(userIds) && userIds.length <= 1_000 && userIds.every(isId))) &&
    isNewerPart(value)
  );
}

const STATUSES: readonly unknown[] = ["online", "idle", "away", "busy", "dnd"];
const FIELDS: readonly unknown[] = ["selectedConversationId", "custom", "hasFocus", "isTyping", "sessionId"];

function isNewerPart({ status, custom, fields, includeInvisible }: Raw): boolean {
  return (
    (isNothing(includeInvisible) || isFlag(includeInvisible)) &&
    (isNothing(status) || isListOf(status, 1, 5, (each) => STATUSES.includes(each))) &&
    (isNothing(fields) || isListOf(fields, 0, 100, (each) => FIELDS.includes(each))) &&
    (isNothing(custom) || isCustomFilter(custom))
  );
}

function isCustomFilter(custom: unknown): boolean {
  if (!isObject(custom)) return false;
  const pairs = Object.entries(custom);
  const isValue = (value: unknown) => typeof value === "string" && value.length <= 512;
  return (
    isListOf(pairs, 1, 4, () => true) &&
    pairs.every(([key, values]) => key.length <= 64 && (isValue(values) || isListOf(values, 1, 16, isValue)))
  );
}

function isListOf(value: unknown, min: number, max: number, fits: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length >= min && value.length <= max && value.every(fits);
}

/** Whether a filter that is valid may be asked of an app with these indexed keys. */
export function isCovered(filter: unknown, indexed: readonly string[]): boolean {
  const { custom, userIds, selectedConversationId } = filter as Raw;
  if (isNothing(custom) || !isNothing(userIds) || !isAbsent(selectedConversationId)) return true;
  return Object.keys(custom as Raw).some((key) => indexed.includes(key));
}

const AVAILABILITIES: readonly unknown[] = ["available", "away", "busy", "dnd", "invisible"];

/** A text that may be empty, and is an id otherwise, of at most so many UTF-16 units. */
const isTextUpTo = (value: unknown, max: number) =>
  value === "" || (isId(value) && (value as string).length <= max);

function isStatus({ availability, text, emoji, expiresInMs }: Raw): boolean {
  return (
    (isNothing(availability) || AVAILABILITIES.includes(availability)) &&
    (isNothing(text) || isTextUpTo(text, 128)) &&
    (isNothing(emoji) || isTextUpTo(emoji, 32)) &&
    (isNothing(expiresInMs) ||
      (isCount(expiresInMs) && (expiresInMs as number) >= 1_000 && (expiresInMs as number) <= 31_536_000_000))
  );
}

function isCustom(value: unknown): boolean {
  if (isNothing(value)) return true;
  if (!isObject(value)) return false;
  const pairs = Object.entries(value);
  return (
    pairs.filter(([, text]) => text !== null).length <= 32 &&
    pairs.every(
      ([key, text]) =>
        key.length <= 64 && (text === null || (typeof text === "string" && text.length <= 512)),
    )
  );
}

function isSession(message: Raw): boolean {
  const { visible, selectedConversationId, hasFocus, isTyping, isIdle, custom } = message;
  return (
    [visible, hasFocus, isTyping, isIdle].every((each) => isAbsent(each) || isFlag(each)) &&
    (isNothing(selectedConversationId) || isId(selectedConversationId)) &&
    isCustom(custom)
  );
}

/** Whether a client may send this. */
export function isClientMessage(message: unknown): boolean {
  if (!isObject(message)) return false;
  const { type, id, sessionId, userId, kind, filter, since, count, patch, view, token } = message;
  const needsId = type === "subscribe" || type === "query" || type === "last_seen";
  if (!(isCount(id) || (isAbsent(id) && !needsId))) return false;
  if (!isAbsent(sessionId) && ["open", "update", "close"].includes(type as string) && !isId(sessionId))
    return false;
  switch (type) {
    case "open":
      return (
        (kind === "background" || kind === "widget") &&
        (isAbsent(userId) || isId(userId)) &&
        isSession(message)
      );
    case "update":
      return isSession(message);
    case "close":
    case "ping":
      return true;
    case "subscribe":
      return (
        isFilter(filter) &&
        (isAbsent(count) || isFlag(count)) &&
        (isAbsent(patch) || isFlag(patch)) &&
        (isAbsent(since) || (isObject(since) && isId(since.view) && isCount(since.version)))
      );
    case "query":
      return isFilter(filter) && (isAbsent(count) || isFlag(count));
    case "status":
      return (isAbsent(userId) || isId(userId)) && isStatus(message);
    case "last_seen":
      return isListOf(message.userIds, 0, 1_000, isId);
    case "unsubscribe":
      return isId(view);
    case "connect":
    case "refresh":
      return typeof token === "string" && token.length <= 8_192;
    default:
      return false;
  }
}

const isWhole = (value: unknown) => isCount(value) && (value as number) <= 2 ** 52;

/** Whether a node of a cluster may write this about a session. */
export function isFact(value: unknown): boolean {
  if (!Array.isArray(value) || value[0] !== 1 || typeof value[1] !== "string") return false;
  const [userId, kind, opened, term, flags, conversation, custom] = value.slice(2);
  if (userId === null) {
    return ["closed", "timeout", "replaced", "kicked", "node-lost"].includes(kind as string);
  }
  return (
    isId(userId) &&
    (kind === "background" || kind === "widget") &&
    isWhole(opened) &&
    isWhole(term) &&
    isWhole(flags) &&
    (flags as number) < 16 &&
    (conversation === null || isId(conversation)) &&
    isObject(custom) &&
    isCustom(custom) &&
    Buffer.byteLength(JSON.stringify(custom)) <= 4_096 &&
    !Object.values(custom).includes(null)
  );
}

/** Whether a node of a cluster may write this about a user. */
export function isProfileFact(value: unknown): boolean {
  if (!Array.isArray(value) || value[0] !== 1 || typeof value[1] !== "string") return false;
  const [userId, kind, version, , availability, text, emoji, expiresAt, lastSeenAt, usedAt] = value.slice(2);
  const isText = (each: unknown, max: number) => each === null || isTextUpTo(each, max);
  return (
    kind === "profile" &&
    isId(userId) &&
    isCount(version) &&
    AVAILABILITIES.includes(availability) &&
    isText(text, 128) &&
    isText(emoji, 32) &&
    (expiresAt === null || isWhole(expiresAt)) &&
    (lastSeenAt === null || isWhole(lastSeenAt)) &&
    isWhole(usedAt)
  );
}
