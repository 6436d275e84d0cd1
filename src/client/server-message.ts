import { idProblem } from "../protocol/rules.ts";
import { type PresenceErrorCode, violation } from "./errors.ts";
import type { LeaveCause, PresenceSession, PresenceValue } from "./types.ts";

/** By user id, null for one who left. */
export type Entries = readonly (readonly [string, PresenceValue | null])[];

export interface Page {
  readonly id: number | undefined;
  readonly view: string;
  readonly version: number;
  readonly entries: Entries;
  readonly more: boolean;
}

export interface Diff {
  readonly view: string;
  readonly version: number;
  readonly entries: Entries;
  readonly causeOf: (userId: string) => LeaveCause;
}

/** What the gateway says, checked. Its answers `ok` and `pong` say nothing that is used. */
export type ServerMessage =
  | { readonly type: "connected"; readonly heartbeatMs: number; readonly resumeWindowMs: number }
  | { readonly type: "opened"; readonly id: number; readonly sessionId: string }
  | { readonly type: "closed"; readonly sessionId: string; readonly cause: string }
  | ({ readonly type: "snapshot" } & Page)
  | { readonly type: "resumed"; readonly id: number; readonly view: string; readonly version: number }
  | ({ readonly type: "diff" } & Diff)
  | { readonly type: "result"; readonly id: number; readonly entries: Entries; readonly more: boolean }
  | { readonly type: "token_expiring" }
  | { readonly type: "draining"; readonly reconnectInMs: number }
  | {
      readonly type: "error";
      readonly id: number | undefined;
      readonly view: string | undefined;
      readonly code: PresenceErrorCode;
      readonly message: string;
      readonly retryAfterMs: number;
    };

type Raw = Readonly<Record<string, unknown>>;

/** More than the gateway ever puts into a message, whatever its settings. */
const MAX_MESSAGE_LENGTH = 16 * 1024 * 1024;
const MAX_ERROR_LENGTH = 1_000;
const CAUSES = ["closed", "timeout", "replaced", "kicked", "changed", "node-lost"];

/** Reads a message; undefined for a type that needs nothing done, or is not known yet. Throws a `PresenceError` for what breaks the protocol. */
export function readMessage(data: unknown): ServerMessage | undefined {
  if (typeof data !== "string") throw violation("a binary message");
  if (data.length > MAX_MESSAGE_LENGTH) throw violation("a message that is too large");
  let raw: unknown;
  try {
    raw = JSON.parse(data);
  } catch {
    throw violation("a message that is not JSON");
  }
  const message = object(raw);
  switch (message.type) {
    case "connected":
      return {
        type: "connected",
        heartbeatMs: within(message.heartbeatMs, 100, 120_000),
        resumeWindowMs: within(message.resumeWindowMs, 0, 600_000),
      };
    case "opened":
      return { type: "opened", id: count(message.id), sessionId: id(message.sessionId) };
    case "closed":
      return { type: "closed", sessionId: id(message.sessionId), cause: text(message.cause) };
    case "snapshot":
      return {
        type: "snapshot",
        id: message.id === undefined ? undefined : count(message.id),
        ...position(message),
        ...page(message),
      };
    case "resumed":
      return { type: "resumed", id: count(message.id), ...position(message) };
    case "diff": {
      const causes = message.causes === undefined ? {} : object(message.causes);
      const causeOf = (userId: string) =>
        (CAUSES.find((cause) => Object.hasOwn(causes, userId) && cause === causes[userId]) ??
          "unknown") as LeaveCause;
      return { type: "diff", ...position(message), entries: entries(message.data, true), causeOf };
    }
    case "result":
      return { type: "result", id: count(message.id), ...page(message) };
    case "token_expiring":
      return { type: "token_expiring" };
    case "draining":
      return { type: "draining", reconnectInMs: within(message.reconnectInMs, 0, 60_000) };
    case "error":
      return {
        type: "error",
        id: message.id === undefined ? undefined : count(message.id),
        view: message.view === undefined ? undefined : id(message.view),
        code: text(message.code) as PresenceErrorCode,
        message: text(message.message).slice(0, MAX_ERROR_LENGTH),
        retryAfterMs: message.retryAfterMs === undefined ? 0 : within(message.retryAfterMs, 0, 60_000),
      };
    default:
      return undefined;
  }
}

function object(value: unknown): Raw {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw violation("no object");
  return value as Raw;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw violation("no text");
  return value;
}

function id(value: unknown): string {
  if (idProblem(text(value)) !== undefined) throw violation("no valid id");
  return value as string;
}

function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw violation("no count");
  return value as number;
}

/** A time that is not believed beyond what makes sense. */
function within(value: unknown, min: number, max: number): number {
  return Math.min(max, Math.max(min, count(value)));
}

function position({ view, version }: Raw): { view: string; version: number } {
  return { view: id(view), version: count(version) };
}

function page({ data, more }: Raw): { entries: Entries; more: boolean } {
  return { entries: entries(data, false), more: more === true };
}

/** Never indexed by what is inherited, and never assigned to: a user may be called `__proto__`. */
function entries(data: unknown, mayLeave: boolean): Entries {
  const found = Object.entries(object(data));
  for (const [userId, value] of found) {
    id(userId);
    if (value === null && mayLeave) continue;
    const { status, backgroundSessions, widgets } = object(value);
    if (status !== "online") throw violation("no status");
    sessions(backgroundSessions);
    sessions(widgets);
  }
  return found as unknown as Entries;
}

function sessions(value: unknown): asserts value is readonly PresenceSession[] {
  if (!Array.isArray(value)) throw violation("no list of sessions");
  for (const item of value) {
    const { sessionId, selectedConversationId, hasFocus, isTyping, custom } = object(item);
    id(sessionId);
    if (selectedConversationId !== null) id(selectedConversationId);
    if (typeof hasFocus !== "boolean" || typeof isTyping !== "boolean") throw violation("no flags");
    for (const part of Object.values(object(custom))) text(part);
  }
}
