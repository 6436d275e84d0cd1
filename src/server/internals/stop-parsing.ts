import type { Socket } from "node:net";

interface ParsedSocket extends Socket {
  readonly parser?: { onIncoming?: unknown } | null;
}

/** What `onIncoming` returns for the parser to leave alone what follows, as it does after an upgrade. */
const SKIP_THE_REST = () => 2;

/**
 * Has node:http leave unread what follows on this connection, also in the packet that it is reading.
 *
 * Relies on: `parser` of a socket of node:http, whose `onIncoming` is called with each request, and may
 * return 2.
 * Why: one packet may hold thousands of requests. Node would make objects of them all, for a connection that
 * is being closed.
 * Without it: Node reads the rest of the packet. Nothing is done for these requests, but reading them takes
 * time.
 */
export function stopParsing({ parser }: ParsedSocket): void {
  if (parser) parser.onIncoming = SKIP_THE_REST;
}
