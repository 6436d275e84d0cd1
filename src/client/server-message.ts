import { isId, isObject, MAX_ID_LENGTH, MAX_SERVER_MESSAGE_BYTES } from "../protocol/rules.ts";
import type { PresencePatch, PresenceValue, ServerMessage } from "../protocol/wire.ts";
import { protocolError } from "./errors.ts";

/** The answer `pong` says nothing that is used: that anything arrives is enough. */
export type HandledMessage = Exclude<ServerMessage, { readonly type: "pong" }>;

/** What is about the connection, and not about what it is for. */
type Control = "connected" | "token_expiring" | "draining";
export type Content = Exclude<HandledMessage, { readonly type: Control }>;

export type Check = (value: unknown) => boolean;

export const isText: Check = (value) => typeof value === "string";
export const isFlag: Check = (value) => typeof value === "boolean";
export const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
export const isMaybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
export const isMapOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) &&
    Object.entries(value).every(([key, item]) => key.length <= MAX_ID_LENGTH && check(item));
export const isShape =
  (shape: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(shape).every(([field, check]) => check(value[field]));

/** A filter may leave out any field of the sessions, and the sessions as well. */
const sessions = isListOf(
  isShape({
    sessionId: isMaybe(isId),
    selectedConversationId: (value) => value == null || isId(value),
    hasFocus: isMaybe(isFlag),
    isTyping: isMaybe(isFlag),
    custom: isMaybe(isMapOf(isText)),
  }),
);
export const isValue = isShape({
  status: isText,
  statusText: isMaybe(isText),
  statusEmoji: isMaybe(isText),
  backgroundSessions: isMaybe(sessions),
  widgets: isMaybe(sessions),
}) as (value: unknown) => value is PresenceValue;
/** Whether it says what has changed in a value, and is not a whole one. */
export const isPatch = (value: unknown): value is PresencePatch => isObject(value) && isObject(value.changed);
const position = { view: isId, version: isCount };
const page = { data: isMapOf(isValue), more: isMaybe(isFlag) };

/** A code or a cause may be one that only newer gateways have, so any text is taken. */
const CHECKS: Readonly<Record<HandledMessage["type"], Check>> = {
  connected: isShape({
    nodeId: isId,
    tableId: isMaybe(isId),
    heartbeatMs: isCount,
    resumeWindowMs: isCount,
  }),
  opened: isShape({ id: isCount, sessionId: isId }),
  closed: isShape({ id: isMaybe(isCount), sessionId: isId, cause: isText }),
  ok: isShape({ id: isMaybe(isCount) }),
  snapshot: isShape({ id: isMaybe(isCount), ...position, ...page }),
  resumed: isShape({ id: isCount, ...position }),
  diff: isShape({
    ...position,
    // What a patch makes of a value is checked when it is folded in.
    data: isMapOf((value) => value === null || isPatch(value) || isValue(value)),
    causes: isMaybe(isMapOf(isText)),
  }),
  // The functions that use these look into them.
  count: isObject,
  last_seen: isObject,
  result: isShape({ id: isCount, ...page }),
  token_expiring: isObject,
  draining: isShape({ reconnectInMs: isCount }),
  error: isShape({
    id: isMaybe(isCount),
    view: isMaybe(isId),
    code: isText,
    message: isText,
  }),
};

/**
 * Reads a message; undefined for a type that needs nothing done, or is not known yet. Throws a
 * `PresenceError` for what breaks the protocol.
 */
export function readMessage(data: unknown): HandledMessage | undefined {
  let message: unknown;
  try {
    if (typeof data === "string" && data.length <= MAX_SERVER_MESSAGE_BYTES) message = JSON.parse(data);
  } catch {
    // Said below.
  }
  if (!isObject(message)) throw protocolError("JSON");
  const { type } = message;
  if (typeof type !== "string" || !Object.hasOwn(CHECKS, type)) return undefined;
  if (!CHECKS[type as HandledMessage["type"]](message)) throw protocolError(type);
  return message as unknown as HandledMessage;
}
