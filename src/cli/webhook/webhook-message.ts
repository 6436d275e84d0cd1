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
import { isId, isObject } from "../../protocol/rules.ts";
import type { WebhookMessage as SentMessage } from "../../protocol/webhook-message.ts";

/** A message of a webhook. Its time is not read. */
export type WebhookMessage = Untimed<SentMessage>;
export type SnapshotMessage = Extract<WebhookMessage, { type: "presence.snapshot" }>;
export type DiffMessage = Extract<WebhookMessage, { type: "presence.diff" }>;

type Untimed<Message> = Message extends unknown ? Omit<Message, "timestamp"> : never;

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
