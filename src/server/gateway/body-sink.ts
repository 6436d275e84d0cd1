import type { Sink } from "./send-queue.ts";

/**
 * The body of an HTTP response that is written piece by piece, as the gateway needs it. An adapter in
 * transport/ translates it to a library and does nothing else. After `end`, `terminate` or `onClose`, every
 * call is a no-op.
 */
export interface BodySink extends Sink {
  /** Ends the body. Bytes that wait are still sent. */
  end(): void;
  /** Drops the connection. */
  terminate(): void;
}

/** What the gateway is told about a body that it writes. */
export interface BodyListener {
  /** No bytes wait any more, after `send` had returned false. */
  onDrain(): void;
  /** The body has ended or its connection is gone. Called once. */
  onClose(): void;
}
