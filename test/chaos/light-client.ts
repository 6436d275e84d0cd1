import { connect } from "node:net";
import { upgradeRequest } from "../support/raw-websocket.ts";

/** As long as the SDK waits, and no longer: where very many knock, the system may drop some, and knock again later and later. */
const CONNECT_MS = 10_000;

export interface LightClientOptions {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string | undefined;
  readonly path: string;
  /** What it says once it is let in, as it is sent. */
  readonly frames: Buffer;
}

/**
 * A WebSocket that stays open and listens for no more than the id of its session: thousands of it share the machine with
 * the gateway that they storm. Undefined: it was not let in, or was cut off.
 */
export function openLightly(options: LightClientOptions): Promise<string | undefined> {
  const { host, port, localAddress, path, frames } = options;
  return new Promise((resolve) => {
    const tcp = connect({ host, port, noDelay: true, ...(localAddress && { localAddress }) });
    tcp.write(upgradeRequest({ path }));
    const timer = setTimeout(() => tcp.destroy(), CONNECT_MS);
    let text = "";
    const listen = (bytes: Buffer) => {
      const isFirst = text === "";
      text += bytes.toString("latin1");
      if (isFirst && text.startsWith("HTTP/1.1 101")) tcp.write(frames);
      else if (isFirst) tcp.destroy();
      const opened = /"type":"opened".*?"sessionId":"([^"]+)"/.exec(text);
      if (opened === null) return;
      clearTimeout(timer);
      tcp.off("data", listen);
      tcp.resume();
      resolve(opened[1]);
    };
    tcp.on("data", listen);
    tcp.on("error", () => tcp.destroy());
    tcp.on("close", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
