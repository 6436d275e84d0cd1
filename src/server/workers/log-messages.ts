import type {
  AppendReply,
  CommandOf,
  Entry,
  JoinReply,
  LogStatus,
  Op,
  OpKind,
  ScanBatch,
} from "../cluster/log.ts";
import { MAX_RECORD_CHARS } from "../cluster/record.ts";
import { MAX_BATCH_CHARS, MAX_BATCH_OPS } from "../cluster/write-buffer.ts";
import { isWriterName } from "../cluster/writer-name.ts";

/*
 * What a worker and the first process send each other about the log. Each sends at most one message in a turn
 * of the event loop.
 *
 * | from | message |
 * |---|---|
 * | worker | `[acknowledged, call, …]`: the number of the last message that was taken in, and calls |
 * | first process | `[number, isAsking, answer, …]`: the number of this message, from 1, and answers |
 *
 * A call is `[id, shard, what, …]`, with an id that rises with each. An answer is `[id, reply]`, or
 * `[id, null, problem]` to a call that is not allowed. Commands are done and answered in their order. The
 * call `follow` is answered again and again: with all entries after one, as they come, and with none from
 * time to time. It ends with the next such call about the same shard. `isAsking` is 1 if much is on its way:
 * the worker acknowledges it at once, or no more entries come.
 */

/** What a worker asks of the log. */
export type LogRequest =
  | CommandOf<"readStatus">
  | CommandOf<"scan">
  | CommandOf<"join">
  | CommandOf<"append">
  | CommandOf<"evict">
  | CommandOf<"forget">
  /** The entries after the one with this id, from now on. */
  | { readonly do: "follow"; readonly after: string };

export interface LogCall {
  readonly id: number;
  readonly shard: number;
  readonly request: LogRequest;
}

export type LogReply = LogStatus | ScanBatch | JoinReply | AppendReply | boolean | null | readonly Entry[];

/** A call that is not allowed. `id`: undefined if not even that can be read. */
export interface BadCall {
  readonly id: number | undefined;
  readonly problem: string;
}

export interface WorkerMessage {
  readonly acknowledged: number;
  readonly calls: readonly (LogCall | BadCall)[];
}

const MAX_CALLS = 1_024;
/** Longer than the key of any session or profile, in characters that JSON escapes to six. */
const MAX_KEY_CHARS = 4_096;
const MAX_OP_CHARS = MAX_BATCH_CHARS + MAX_RECORD_CHARS + MAX_BATCH_OPS * MAX_KEY_CHARS;
/** Ids of entries, and cursors. */
const MAX_PLACE_CHARS = 64;
const MAX_NAMES = 16;
const MAX_LEASE_MS = 86_400_000;

const KINDS: readonly unknown[] = [
  "open",
  "patch",
  "takeover",
  "end",
  "forceEnd",
  "profile",
] satisfies OpKind[];

export function encodeCall({ id, shard, request }: LogCall): unknown[] {
  const call = [id, shard, request.do];
  switch (request.do) {
    case "readStatus":
      return [...call, request.at ?? null];
    case "scan":
      return [...call, request.from];
    case "join":
      return [...call, request.writer, request.leaseMs, request.nodeId, request.formerly];
    case "append": {
      // Flat, as that costs half as much to send as objects do.
      const texts: string[] = [];
      for (const { kind, sessionId, text } of request.ops) texts.push(kind, sessionId, text);
      return [...call, request.writer, request.seq, texts];
    }
    case "evict":
      return [...call, request.writer, request.seq ?? null];
    case "forget":
      return [...call, request.writer];
    case "follow":
      return [...call, request.after];
  }
}

/**
 * Reads what a worker has sent; a text says what is wrong with it. Whatever a worker sends, this does not
 * throw.
 */
export function parseWorkerMessage(message: unknown): WorkerMessage | string {
  if (!Array.isArray(message)) return "a message that is not a list";
  const [acknowledged, ...calls] = message as unknown[];
  if (!isCount(acknowledged)) return "a message without the number of the last one";
  if (calls.length > MAX_CALLS) return "a message with too many calls";
  return { acknowledged, calls: calls.map(parseCall) };
}

function parseCall(call: unknown): LogCall | BadCall {
  if (!Array.isArray(call)) return { id: undefined, problem: "a call that is not a list" };
  const [id, shard, what, ...args] = call as unknown[];
  if (!isCount(id)) return { id: undefined, problem: "a call without an id" };
  if (!isCount(shard)) return { id, problem: "a call without a shard" };
  const request = parseRequest(what, args);
  return request === undefined
    ? { id, problem: `a call that is not allowed: ${describe(what)}` }
    : { id, shard, request };
}

function parseRequest(
  what: unknown,
  [first, second, third, fourth]: readonly unknown[],
): LogRequest | undefined {
  switch (what) {
    case "readStatus":
      if (first !== null && !isPlace(first)) return undefined;
      return { do: what, at: first ?? undefined };
    case "scan":
      return isPlace(first) ? { do: what, from: first } : undefined;
    case "join":
      if (!isName(first) || !isLease(second) || typeof third !== "string" || !isNames(fourth))
        return undefined;
      return { do: what, writer: first, leaseMs: second, nodeId: third, formerly: fourth };
    case "append": {
      if (!isName(first) || !isCount(second)) return undefined;
      const ops = parseOps(third);
      return ops === undefined ? undefined : { do: what, writer: first, seq: second, ops };
    }
    case "evict":
      if (!isName(first) || (second !== null && !isCount(second))) return undefined;
      return { do: what, writer: first, seq: second ?? undefined };
    case "forget":
      return isName(first) ? { do: what, writer: first } : undefined;
    case "follow":
      return isPlace(first) ? { do: what, after: first } : undefined;
    default:
      return undefined;
  }
}

function parseOps(texts: unknown): Op[] | undefined {
  if (!Array.isArray(texts) || texts.length > 3 * MAX_BATCH_OPS || texts.length % 3 !== 0) return undefined;
  const ops: Op[] = [];
  let chars = 0;
  for (let i = 0; i < texts.length; i += 3) {
    const [kind, sessionId, text] = [texts[i], texts[i + 1], texts[i + 2]] as unknown[];
    if (!KINDS.includes(kind) || typeof sessionId !== "string" || typeof text !== "string") return undefined;
    if (sessionId.length > MAX_KEY_CHARS || text.length > MAX_RECORD_CHARS) return undefined;
    chars += sessionId.length + text.length;
    ops.push({ kind: kind as OpKind, sessionId, text });
  }
  return chars > MAX_OP_CHARS ? undefined : ops;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isLease(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value <= MAX_LEASE_MS;
}

function isPlace(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_PLACE_CHARS;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && isWriterName(value);
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_NAMES && value.every(isName);
}

function describe(what: unknown): string {
  return typeof what === "string" ? JSON.stringify(what.slice(0, MAX_PLACE_CHARS)) : typeof what;
}
