import type { Channel } from "./channel.ts";

/** What `process` in a child and a `ChildProcess` have in common. */
export interface IpcEndpoint {
  readonly connected: boolean;
  send?(message: unknown, sent: (error: Error | null) => void): boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
}

/**
 * A channel over the IPC connection between a process and its child. Several share one connection, and are
 * told apart by their topic: a message is sent as `[topic, message]`.
 */
export function ipcChannel(endpoint: IpcEndpoint, topic: string): Channel {
  return {
    send(message) {
      // With a callback, an error is no event that ends the process. The connection closes after it.
      if (endpoint.connected) endpoint.send?.([topic, message], () => {});
    },
    onMessage(listener) {
      endpoint.on("message", (message) => {
        if (Array.isArray(message) && message.length === 2 && message[0] === topic) listener(message[1]);
      });
    },
    onClose(listener) {
      let isTold = false;
      const tell = () => {
        if (isTold) return;
        isTold = true;
        listener();
      };
      endpoint.on("disconnect", tell);
      // It may have closed before, and does not say so again.
      if (!endpoint.connected) setImmediate(tell);
    },
  };
}
