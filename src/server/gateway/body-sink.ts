import type { Sink } from "./send-queue.ts";

/**
 * The body of an HTTP response that is written bit by bit, as the gateway wants it; an adapter in transport/ translates
 * it to a library and does nothing else. After `end`, `terminate` or `onClose`, every call is a no-op.
 */
export interface BodySink extends Sink {
  /** Ends the body; what waits is still sent. */
  end(): void;
  /** Drops the connection. */
  terminate(): void;
}

/** What the gateway wants to be told of a body that it writes. */
export interface BodyListener {
  /** Nothing waits any more, after `send` had returned false. */
  onDrain(): void;
  /** The body has ended or its connection is gone. Called once. */
  onClose(): void;
}
