import type { HeldSession, RemoteSession } from "../gateway/tenant.ts";
import type { EndCause } from "../protocol/codes.ts";
import { customProblem, idProblem } from "../protocol/rules.ts";
import { type Custom, countKeys, NO_CUSTOM } from "../sessions/session.ts";

/** What the log says about one session: how it is, or why it ended. */
export type Fact =
  | { readonly kind: "row"; readonly appId: string; readonly session: RemoteSession }
  | { readonly kind: "end"; readonly appId: string; readonly cause: EndCause };

/** The first element of every fact. Whoever reads another version skips it; more elements at the end are no new version. */
const VERSION = 1;
const VISIBLE = 1;
const HAS_FOCUS = 2;
const IS_TYPING = 4;
const ALL_FLAGS = 7;
/** There is room above it to count on. */
const MAX_NUMBER = 2 ** 52;

const CAUSES: readonly unknown[] = [
  "closed",
  "timeout",
  "replaced",
  "kicked",
  "node-lost",
] satisfies EndCause[];

/** `[1,"app","alice","widget",1790000000000,0,5,"c1",{"page":"inbox"}]` */
export function encodeRow(appId: string, { user, kind, origin, state }: HeldSession): string {
  const { visible, hasFocus, isTyping, selectedConversationId, custom } = state;
  const flags = (visible ? VISIBLE : 0) | (hasFocus ? HAS_FOCUS : 0) | (isTyping ? IS_TYPING : 0);
  const { opened, term } = origin!;
  const { userId } = user;
  return JSON.stringify([VERSION, appId, userId, kind, opened, term, flags, selectedConversationId, custom]);
}

/** `[1,"app",null,"closed"]` */
export function encodeEnd(appId: string, cause: EndCause): string {
  return JSON.stringify([VERSION, appId, null, cause]);
}

/** Reads a fact. Never throws: what is not one, or one of another version, is undefined. */
export function decodeFact(text: string): Fact | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || value[0] !== VERSION) return undefined;
  const [, appId, userId, kind, opened, term, flags, selectedConversationId, custom] = value as unknown[];
  if (typeof appId !== "string") return undefined;
  if (userId === null) {
    return CAUSES.includes(kind) ? { kind: "end", appId, cause: kind as EndCause } : undefined;
  }
  if (!isId(userId) || !(kind === "background" || kind === "widget")) return undefined;
  if (!isWithin(opened, MAX_NUMBER) || !isWithin(term, MAX_NUMBER) || !isWithin(flags, ALL_FLAGS)) {
    return undefined;
  }
  if (selectedConversationId !== null && !isId(selectedConversationId)) return undefined;
  const checked = checkCustom(custom);
  if (checked === undefined) return undefined;
  const state = {
    visible: (flags & VISIBLE) !== 0,
    selectedConversationId,
    hasFocus: (flags & HAS_FOCUS) !== 0,
    isTyping: (flags & IS_TYPING) !== 0,
    custom: checked,
  };
  return { kind: "row", appId, session: { userId, kind, opened, term, state } };
}

function isId(value: unknown): value is string {
  return typeof value === "string" && idProblem(value) === undefined;
}

function isWithin(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function checkCustom(custom: unknown): Custom | undefined {
  if (customProblem(custom) !== undefined) return undefined;
  const fields = custom as Record<string, string | null>;
  if (Object.values(fields).includes(null)) return undefined;
  if (countKeys(fields as Custom) === 0) return NO_CUSTOM;
  return Object.freeze(Object.assign(Object.create(null), fields));
}
