import { CONTINUATION, frame, TEXT } from "../support/raw-websocket.ts";

// The messages of the cases: valid messages of a given size, or with given bytes in them.

/** A `ping` of exactly this many bytes. Its answer shows that it was delivered. */
export function ping(id: number, bytes = 64): Buffer {
  const bare = JSON.stringify({ type: "ping", id, pad: "" });
  return Buffer.from(JSON.stringify({ type: "ping", id, pad: ".".repeat(bytes - bare.length) }));
}

const [BEFORE, AFTER] = ['{"type":"open","id":1,"kind":"widget","userId":"USER","custom":{"t":"', '"}}'];

/** An `open` around these bytes, in three parts. The session stores the bytes, so a test can compare them. */
export function openAround(user: string, bytes: Uint8Array): [Buffer, Buffer, Buffer] {
  return [Buffer.from(BEFORE.replace("USER", user)), Buffer.from(bytes), Buffer.from(AFTER)];
}

/** A message with one frame for each part. The last frame ends the message, unless it must stay open. */
export function fragments(parts: readonly Uint8Array[], { opcode = TEXT, ends = true } = {}): Buffer[] {
  return parts.map((payload, i) =>
    frame({ opcode: i === 0 ? opcode : CONTINUATION, fin: ends && i === parts.length - 1, payload }),
  );
}

/** Cuts bytes into parts of this size. */
export function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
}
