import { CONTINUATION, frame, TEXT } from "../support/raw-websocket.ts";

// What the cases say: messages of the gateway's own, made as large as is wanted, or with any bytes within.

/** A `ping` of exactly so many bytes; its answer says that it was delivered. */
export function ping(id: number, bytes = 64): Buffer {
  const bare = JSON.stringify({ type: "ping", id, pad: "" });
  return Buffer.from(JSON.stringify({ type: "ping", id, pad: ".".repeat(bytes - bare.length) }));
}

const [BEFORE, AFTER] = ['{"type":"open","id":1,"kind":"widget","userId":"USER","custom":{"t":"', '"}}'];

/** An `open` around these bytes, in three parts; the session keeps them, to be compared. */
export function openAround(user: string, bytes: Uint8Array): [Buffer, Buffer, Buffer] {
  return [Buffer.from(BEFORE.replace("USER", user)), Buffer.from(bytes), Buffer.from(AFTER)];
}

/** A message in one frame for each part; the last one ends it, unless it is to stay open. */
export function fragments(parts: readonly Uint8Array[], { opcode = TEXT, ends = true } = {}): Buffer[] {
  return parts.map((payload, i) =>
    frame({ opcode: i === 0 ? opcode : CONTINUATION, fin: ends && i === parts.length - 1, payload }),
  );
}

/** Cuts into parts of this size. */
export function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
}
