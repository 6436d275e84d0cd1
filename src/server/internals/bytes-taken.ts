import type { Socket } from "node:net";

interface StreamHandle {
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
}

/**
 * How many bytes the kernel has taken from us on this connection.
 *
 * Relies on: `_handle` of a net.Socket, with `bytesWritten` and `writeQueueSize`. Node reads them for its own
 * timeouts.
 * Why: a client that reads slowly must be told from one that does not read. `bytesWritten` of the socket
 * itself also counts bytes that still wait in this process.
 * Without it: always 0, so a client that takes longer than the stall limit for what waits is disconnected.
 */
export function bytesTaken(tcp: Socket): number {
  const handle = (tcp as { _handle?: StreamHandle | null })._handle;
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0);
}
