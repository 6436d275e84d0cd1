import type { Socket } from "node:net";

/** The queue of the kernel-facing stream handle. Node reads it for its own timeouts; it is not in the public types. */
interface StreamHandle {
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
}

/** How many bytes the kernel took: `bytesWritten` of the socket counts those that still wait, too. */
export function bytesTaken(tcp: Socket): number {
  const handle = (tcp as { _handle?: StreamHandle | null })._handle;
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0);
}
