import {
  type Check,
  isCount,
  isFlag,
  isMapOf,
  isMaybe,
  isShape,
  isText,
  isValue,
} from "../../client/server-message.ts";
import type { PresenceValue } from "../../client/types.ts";
import { isId, isObject } from "../../protocol/rules.ts";

interface Source {
  readonly appId: string;
  readonly webhookId: string;
}

interface Positioned extends Source {
  readonly view: string;
  /** The copy has this version after the message. */
  readonly version: number;
}

export interface SnapshotMessage {
  readonly type: "presence.snapshot";
  readonly data: Positioned & {
    readonly users: Readonly<Record<string, PresenceValue>>;
    /** Counts from 1. */
    readonly page: number;
    /** Other pages follow. */
    readonly more: boolean;
  };
}

export interface DiffMessage {
  readonly type: "presence.diff";
  readonly data: Positioned & {
    /** The diff is valid on a copy of this version. */
    readonly from: number;
    /** null: the user has left. */
    readonly users: Readonly<Record<string, PresenceValue | null>>;
    readonly causes: Readonly<Record<string, string>>;
  };
}

export interface CountMessage {
  readonly type: "presence.count";
  readonly data: Source & { readonly users: number };
}

/** A message of a webhook. Its time is not read. */
export type WebhookMessage = SnapshotMessage | DiffMessage | CountMessage;

const source = { appId: isId, webhookId: isId };
const position = { ...source, view: isId, version: isCount };

const CHECKS: Readonly<Record<WebhookMessage["type"], Check>> = {
  "presence.snapshot": isShape({ ...position, users: isMapOf(isValue), page: isCount, more: isFlag }),
  "presence.diff": isShape({
    ...position,
    from: isCount,
    users: isMapOf((value) => value === null || isValue(value)),
    causes: isMaybe(isMapOf(isText)),
  }),
  "presence.count": isShape({ ...source, users: isCount }),
};

/** Reads the body of a webhook; undefined if it is no message that this version knows. */
export function readWebhookMessage(text: string): WebhookMessage | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(message) || typeof message.type !== "string") return undefined;
  const { type, data } = message;
  if (!Object.hasOwn(CHECKS, type) || !CHECKS[type as WebhookMessage["type"]](data)) return undefined;
  return message as unknown as WebhookMessage;
}
