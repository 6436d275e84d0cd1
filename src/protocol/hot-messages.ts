import type { Message } from "./messages.ts";
import { customProblem, idProblem } from "./rules.ts";

/**
 * Reads `update` and `open`, which are nearly all that a gateway gets, in a fraction of the time that the schema takes. What is taken is
 * what the schema would make of it; all else, good or bad, is undefined, and for the schema to judge.
 */
export function readHotMessage(json: unknown): Message<"update"> | Message<"open"> | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const message = json as Record<string, unknown>;
  const isOpen = message.type === "open";
  if (!isOpen && message.type !== "update") return undefined;
  let isComplete = !isOpen;
  for (const key in message) {
    const value = message[key];
    switch (key) {
      case "type":
        break;
      case "id":
        if (!Number.isSafeInteger(value) || (value as number) < 0) return undefined;
        break;
      case "sessionId":
        if (!isId(value)) return undefined;
        break;
      case "selectedConversationId":
        if (value !== null && !isId(value)) return undefined;
        break;
      case "visible":
      case "hasFocus":
      case "isTyping":
        if (typeof value !== "boolean") return undefined;
        break;
      case "custom":
        if (value !== null && customProblem(value) !== undefined) return undefined;
        break;
      case "kind":
        if (!isOpen || (value !== "widget" && value !== "background")) return undefined;
        isComplete = true;
        break;
      case "userId":
        if (!isOpen || !isId(value)) return undefined;
        break;
      default:
        return undefined;
    }
  }
  return isComplete ? (message as Message<"update"> | Message<"open">) : undefined;
}

function isId(value: unknown): boolean {
  return typeof value === "string" && idProblem(value) === undefined;
}
