import type { Entry, RegisteredWriter, ScanBatch } from "./log.ts";
import { MAX_RECORD_CHARS } from "./record.ts";
import { isWriterName } from "./writer-name.ts";

/** More fields than any version of this gateway puts into an entry. */
const MAX_FIELDS = 8_192;
const MAX_HEADER_CHARS = 1_024;
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** Reads an entry as XREAD returns it. Never throws: an entry that no node wrote is `bad`. */
export function parseEntry(id: string, fields: unknown): Entry {
  const bad = { id, kind: "bad" } as const;
  if (!Array.isArray(fields) || fields.length < 2 || fields.length > MAX_FIELDS) return bad;
  const [kind, header, ...records] = fields as unknown[];
  if (typeof header !== "string" || header.length > MAX_HEADER_CHARS) return bad;
  const [countText = "", second = "", third = "", ...rest] = header.split(" ");
  const count = parseCount(countText);
  if (count === undefined) return bad;
  switch (kind) {
    case "batch": {
      const seq = parseCount(second);
      if (seq === undefined || !isWriterName(third) || !records.every(isText)) return bad;
      // Most batches have no such record, and need no second list.
      const fit = records.some(isTooLong) ? records.map(shorten) : records;
      const batch = { id, kind, count, writer: third, seq, records: fit } as const;
      return rest[0] === "full" ? { ...batch, isFull: true } : batch;
    }
    case "join": {
      const leaseMs = parseCount(second);
      if (leaseMs === undefined || !isWriterName(third)) return bad;
      return { id, kind, count, writer: third, leaseMs, nodeId: rest.join(" ") };
    }
    case "bury":
      return isWriterName(second) ? { id, kind: "evict", count, writer: second } : bad;
    default:
      return { id, kind: "unknown", count };
  }
}

/** Reads rows as HSCAN returns them. What is not a row is left out. */
export function parseRows(fields: unknown): ScanBatch["rows"] {
  const rows: { sessionId: string; owner: string; text: string }[] = [];
  if (!Array.isArray(fields)) return rows;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [sessionId, value] = [fields[i], fields[i + 1]] as unknown[];
    if (!isText(sessionId) || !isText(value)) continue;
    const space = value.indexOf(" ");
    const owner = value.slice(0, Math.max(0, space));
    if (isWriterName(owner)) rows.push({ sessionId, owner, text: shorten(value.slice(space + 1)) });
  }
  return rows;
}

/** Reads the register as HGETALL returns it. */
export function parseRegister(fields: unknown): RegisteredWriter[] {
  const values = new Map<string, string>();
  if (Array.isArray(fields)) {
    for (let i = 0; i + 1 < fields.length; i += 2) values.set(String(fields[i]), String(fields[i + 1]));
  }
  const register: RegisteredWriter[] = [];
  for (const [name, seq] of values) {
    const writer = name.slice(2);
    if (!name.startsWith("s:") || !isWriterName(writer)) continue;
    const leaseMs = parseCount(values.get(`l:${writer}`) ?? "") ?? 0;
    register.push({ writer, seq: parseCount(seq), leaseMs, nodeId: values.get(`n:${writer}`) ?? "" });
  }
  return register;
}

/** Replaces what is too long to be a record, so that nothing is kept that is larger than what nodes write. */
function shorten(text: string): string {
  return isTooLong(text) ? "" : text;
}

function isTooLong(text: string): boolean {
  return text.length > MAX_RECORD_CHARS;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function parseCount(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= MAX_COUNT ? value : undefined;
}
