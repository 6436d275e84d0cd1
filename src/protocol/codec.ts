import type { z } from "zod";
import type { LeaveCause } from "./codes.ts";
import { readHotMessage, readHotText } from "./hot-messages.ts";
import { ClientMessage } from "./messages.ts";
import { type FieldIssue, unknownFieldIssues } from "./unknown-fields.ts";
import type { Issue, ServerMessage } from "./wire.ts";

export type Decoded =
  | { readonly kind: "message"; readonly message: ClientMessage }
  | { readonly kind: "not-json" }
  | { readonly kind: "bad"; readonly id: number | undefined; readonly issues: readonly Issue[] };

/** Decodes one text frame. Never throws, and has no side effects. */
export function decodeMessage(text: string): Decoded {
  const known = readHotText(text);
  if (known !== undefined) return { kind: "message", message: known };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: "not-json" };
  }
  const hot = readHotMessage(json);
  if (hot !== undefined) return { kind: "message", message: hot };
  const result = ClientMessage.safeParse(json);
  if (result.success) return { kind: "message", message: result.data };
  return { kind: "bad", id: readId(json), issues: toIssues(result.error) };
}

/** The most issues that an error reports: a bad list of a thousand ids gets a short answer. */
const MAX_ISSUES = 10;

/** A path names fields only: which element of a list it is stands in the message, as over HTTP. */
export function toIssues(error: z.ZodError): Issue[] {
  return toFieldIssues(error).map(({ path, message }) => {
    const index = path.at(-1);
    if (typeof index !== "number") return { path: path.map(String).join("."), message };
    return { path: path.slice(0, -1).map(String).join("."), message: `${index}: ${message}` };
  });
}

/** The same with paths in parts: the name of an unknown field may have dots. */
export function toFieldIssues(error: z.ZodError): FieldIssue[] {
  return error.issues
    .slice(0, MAX_ISSUES)
    .flatMap((issue) => (issue.code === "unrecognized_keys" ? unknownFieldIssues(issue) : [issue]))
    .slice(0, MAX_ISSUES);
}

/** Texts up to this many UTF-16 units are parsed for their id. Longer ones are only searched at both ends. */
export const MAX_PARSED_FOR_ID = 4_096;
/** Where nearly all clients write the id: first, after the type, or last. */
const ID_AT_END = /,\s*"id"\s*:\s*(\d{1,16})\s*\}\s*$/;
const ID_AT_START = /^\s*\{\s*(?:"type"\s*:\s*"\w{1,32}"\s*,\s*)?"id"\s*:\s*(\d{1,16})\s*[,}]/;

/**
 * The id of a message that is refused without being decoded, for the error message. It costs little, however
 * long the message is.
 */
export function readMessageId(text: string): number | undefined {
  if (text.length > MAX_PARSED_FOR_ID) {
    const found = ID_AT_END.exec(text.slice(-128)) ?? ID_AT_START.exec(text.slice(0, 128));
    return found === null ? undefined : readId({ id: Number(found[1]) });
  }
  try {
    return readId(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function readId(json: unknown): number | undefined {
  if (typeof json !== "object" || json === null || !Object.hasOwn(json, "id")) return undefined;
  const { id } = json as { id: unknown };
  return Number.isSafeInteger(id) && (id as number) >= 0 ? (id as number) : undefined;
}

/**
 * Messages that are encoded for one socket. The others are joined from parts that are encoded once for all.
 */
export type SingleMessage = Exclude<ServerMessage, { readonly type: "snapshot" | "result" | "diff" }>;

export function encodeMessage(message: SingleMessage): string {
  return JSON.stringify(message);
}

/** A user and their value as a fragment of `data`: `"alice":{…}`, or `"alice":null` for a user who left. */
export type EncodedEntry = string;

/**
 * Joins entries with commas, together with the texts before and after them. Concatenating these separately
 * would copy all entries once more when the text is sent.
 */
export function joinEntries(before: string, members: readonly EncodedEntry[], after: string): string {
  if (members.length === 0) return before + after;
  const parts = members.slice();
  parts[0] = before + parts[0];
  parts[parts.length - 1] += after;
  return parts.join(",");
}

/** A diff as many subscribers get it. `causes`: see `encodeCauses`. */
export function encodeDiff(
  view: string,
  version: number,
  members: readonly EncodedEntry[],
  causes: string,
): string {
  const head = `{"type":"diff","view":${JSON.stringify(view)},"version":${version},"data":{`;
  return joinEntries(head, members, causes === "" ? "}}" : `},"causes":{${causes}}}`);
}

/** Why users left, as the inside of `causes`; an empty text if nobody did. */
export function encodeCauses(left: ReadonlyMap<string, LeaveCause>): string {
  let causes = "";
  for (const [userId, cause] of left)
    causes += `${causes === "" ? "" : ","}${JSON.stringify(userId)}:"${cause}"`;
  return causes;
}

/** The number of users in a view, as every subscriber gets it when it has changed. */
export function encodeCount(view: string, version: number, users: number): string {
  return encodeCountPage(undefined, encodeCountBody(view, version, users));
}

/** The part of a count that is the same for all readers. `encodeCountPage` adds the rest. */
export function encodeCountBody(view: string, version: number, users: number): string {
  return `"view":${JSON.stringify(view)},"version":${version},"users":${users}}`;
}

/** `id`: the `subscribe` that the count answers. Undefined: it has changed, or its reader has lagged. */
export function encodeCountPage(id: number | undefined, body: string): string {
  return id === undefined ? `{"type":"count",${body}` : `{"type":"count","id":${id},${body}`;
}

/** The part of a snapshot page that is the same for all readers. `encodeSnapshotPage` adds the rest. */
export function encodeSnapshotBody(
  view: string,
  version: number,
  members: readonly EncodedEntry[],
  more: boolean,
): string {
  return joinEntries(`"view":${JSON.stringify(view)},"version":${version},"data":{`, members, endOf(more));
}

/** `id`: the `subscribe` that the page answers. Undefined: the snapshot follows a lag of the reader. */
export function encodeSnapshotPage(id: number | undefined, body: string): string {
  return id === undefined
    ? `{"type":"snapshot","reason":"lagged",${body}`
    : `{"type":"snapshot","id":${id},${body}`;
}

export function encodeResultPage(id: number, members: readonly EncodedEntry[], more: boolean): string {
  return joinEntries(`{"type":"result","id":${id},"data":{`, members, endOf(more));
}

function endOf(more: boolean): string {
  return more ? '},"more":true}' : "}}";
}
