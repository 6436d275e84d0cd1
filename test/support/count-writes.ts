import { Socket as TcpSocket } from "node:net";
import { vi } from "vitest";
import { Connection } from "../../src/server/gateway/connection.ts";
import { UwsSocket } from "../../src/server/transport/uws/uws-socket.ts";
import type { UwsWebSocket } from "../../src/server/transport/uws/uws-types.ts";

export interface CountedWrites {
  /** Writes to WebSockets since the last call; on `ws` those to all connections of the port. */
  take(port: number): number;
}

/** Counts what the libraries hand to the kernel. To be called before the gateway starts, once in a file. */
export function countWrites(transport: "ws" | "uws"): CountedWrites {
  return transport === "uws" ? countUws() : countNode();
}

/**
 * uWebSockets.js writes at the end of a cork, or at a `send` outside. It corks a socket by itself while it
 * handles what has arrived from it: what the gateway sends then, by `onFlush`, is one write.
 */
function countUws(): CountedWrites {
  let writes = 0;
  let isHandling = false;
  const { onFlush } = Connection.prototype;
  vi.spyOn(Connection.prototype, "onFlush").mockImplementation(function (this: Connection) {
    isHandling = true;
    try {
      onFlush.call(this);
    } finally {
      isHandling = false;
    }
  });
  const { open } = UwsSocket.prototype;
  vi.spyOn(UwsSocket.prototype, "open").mockImplementation(function (this: UwsSocket, webSocket, accept) {
    const { send, cork }: Pick<UwsWebSocket<unknown>, "send" | "cork"> = webSocket;
    let isCorked = false;
    let isCounted = false;
    const count = () => {
      if (isHandling) {
        if (isCounted) return;
        isCounted = true;
        setImmediate(() => {
          isCounted = false;
        });
      }
      writes++;
    };
    webSocket.send = (...args) => {
      if (!isCorked) count();
      return send.apply(webSocket, args);
    };
    webSocket.cork = (act) => {
      count();
      isCorked = true;
      try {
        return cork.call(webSocket, act);
      } finally {
        isCorked = false;
      }
    };
    return open.call(this, webSocket, accept);
  });
  return {
    take() {
      const taken = writes;
      writes = 0;
      return taken;
    },
  };
}

interface StreamWrites {
  _write(...args: unknown[]): void;
  _writev(...args: unknown[]): void;
}

/** Node makes one system call of each `_write` and `_writev`. */
function countNode(): CountedWrites {
  const writes = new Map<number | undefined, number>();
  const prototype = TcpSocket.prototype as unknown as StreamWrites;
  for (const name of ["_write", "_writev"] as const) {
    const original = prototype[name];
    vi.spyOn(prototype, name).mockImplementation(function (this: TcpSocket, ...args) {
      writes.set(this.localPort, (writes.get(this.localPort) ?? 0) + 1);
      original.apply(this as unknown as StreamWrites, args);
    });
  }
  return {
    take(port) {
      const taken = writes.get(port) ?? 0;
      writes.delete(port);
      return taken;
    },
  };
}
