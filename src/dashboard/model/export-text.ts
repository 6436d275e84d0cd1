import type { PresenceFilter, PresenceSession } from "../../client/types.ts";
import { type Row, sessionsOf } from "./row.ts";
import type { Since } from "./session-times.ts";

/** What the export says about itself. */
export interface ExportHead {
  readonly appId: string;
  /** When it was made, in milliseconds since 1970. */
  readonly at: number;
  readonly filter: PresenceFilter;
  readonly search: string;
}

const TITLES = [
  "user",
  "status",
  "status text",
  "status emoji",
  "attention",
  "online since",
  "kind",
  "conversation",
  "in conversation since",
  "focused",
  "typing",
  "custom",
  "changed",
  "session",
];

/**
 * The sessions of rows as CSV (RFC 4180), one line for each session. It begins with a byte order mark.
 * Without one, Excel does not read UTF-8.
 */
export function toCsv(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) =>
    sessionsOfRow(row).map(({ kind, session, conversation }) => [
      row.userId,
      row.value.status,
      row.value.statusText ?? "",
      row.value.statusEmoji ?? "",
      row.attention,
      csvSince(row.online),
      kind,
      session.selectedConversationId ?? "",
      csvSince(conversation),
      yesNo(session.hasFocus),
      yesNo(session.isTyping),
      JSON.stringify(session.custom),
      row.changedAt === 0 ? "" : isoTime(row.changedAt),
      session.sessionId,
    ]),
  );
  return `\ufeff${[TITLES, ...lines].map((cells) => `${cells.map(csvCell).join(",")}\r\n`).join("")}`;
}

/** The users of rows as JSON, with the filter and the search that they match. */
export function toJson({ at, ...head }: ExportHead, rows: readonly Row[]): string {
  const users = rows.map((row) => ({
    userId: row.userId,
    status: row.value.status,
    statusText: row.value.statusText,
    statusEmoji: row.value.statusEmoji,
    attention: row.attention,
    online: jsonSince(row.online),
    changedAt: row.changedAt === 0 ? null : isoTime(row.changedAt),
    sessions: sessionsOfRow(row).map(({ kind, session, conversation }) => ({
      kind,
      ...session,
      inConversation: jsonSince(conversation),
    })),
  }));
  return `${JSON.stringify({ ...head, exportedAt: isoTime(at), users }, undefined, 2)}\n`;
}

interface ExportedSession {
  readonly kind: "widget" | "background";
  readonly session: PresenceSession;
  readonly conversation: Since;
}

function sessionsOfRow({ value, times }: Row): ExportedSession[] {
  return sessionsOf(value).map((session, index) => ({
    kind: index < value.widgets.length ? "widget" : "background",
    session,
    conversation: times[index]!.conversation,
  }));
}

/**
 * Quotes a cell if needed. A spreadsheet would run a text that begins like a formula, so such a text gets a
 * single quote in front.
 */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csvSince({ at, isExact }: Since): string {
  return isExact ? isoTime(at) : `before ${isoTime(at)}`;
}

function jsonSince({ at, isExact }: Since): object {
  return { since: isoTime(at), isExact };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
