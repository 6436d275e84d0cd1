/**
 * A way to another process on this machine. Messages arrive in their order, each once, until it closes. They
 * are arrays, texts, numbers and plain objects: what JSON can hold.
 */
export interface Channel {
  /** Sends a message. Does nothing once the channel is closed. */
  send(message: unknown): void;
  /** Calls back for each message. There is one listener. */
  onMessage(listener: (message: unknown) => void): void;
  /** Calls back once, when no more messages will come: the other process has ended. */
  onClose(listener: () => void): void;
}
