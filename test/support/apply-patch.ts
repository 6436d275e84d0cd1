import { isDeepStrictEqual } from "node:util";

// biome-ignore lint/suspicious/noExplicitAny: JSON
type Json = any;

const LISTS = ["backgroundSessions", "widgets"] as const;
const STATUS_FIELDS = ["status", "statusText", "statusEmoji"];
const SESSION_FIELDS = ["selectedConversationId", "custom", "hasFocus", "isTyping"];

/**
 * A user's value after a value of a diff, which may be a patch. Throws for a patch that breaks the contract:
 * it names only listed sessions, and fields that differ, and is shorter than the value would be.
 */
export function applyPatch(before: Json, value: Json): Json {
  if (value === null || !Object.hasOwn(value, "changed")) return value;
  const refuse = (why: string): never => {
    throw new Error(`${why}: ${JSON.stringify(value)} on ${JSON.stringify(before)}`);
  };
  if (before === undefined) return refuse("a patch of nobody");
  const after = structuredClone(before);
  const set = (target: Json, field: string, known: readonly string[], to: unknown) => {
    if (!known.includes(field)) refuse(`a field ${field}`);
    if (isDeepStrictEqual(target[field] ?? null, to)) refuse(`${field} has not changed`);
    if (to === null && field !== "selectedConversationId") delete target[field];
    else target[field] = to;
  };
  const { changed, ...status } = value;
  for (const [field, to] of Object.entries(status)) set(after, field, STATUS_FIELDS, to);
  const sessions = LISTS.flatMap((list) => after[list] ?? []);
  for (const [sessionId, fields] of Object.entries(changed as Record<string, object>)) {
    const session = sessions.find((each) => each.sessionId === sessionId);
    if (session === undefined) refuse(`a session ${sessionId}`);
    if (Object.keys(fields).length === 0) refuse("nothing changed");
    for (const [field, to] of Object.entries(fields)) set(session, field, SESSION_FIELDS, to);
  }
  if (Object.keys(status).length === 0 && Object.keys(changed).length === 0) refuse("an empty patch");
  if (JSON.stringify(value).length >= JSON.stringify(after).length) refuse("longer than the whole value");
  return after;
}
