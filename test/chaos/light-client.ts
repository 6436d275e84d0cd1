import { connect } from "node:net";
import { upgradeRequest } from "../support/raw-websocket.ts";

/**
 * The timeout of the SDK. If very many clients connect, the system may drop some attempts and retry ever
 * later.
 */
const CONNECT_MS = 10_000;

export interface LightClientOptions {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string | undefined;
  readonly path: string;
  /** The frame to send after it is connected. */
  readonly frames: Buffer;
}

/**
 * A WebSocket that stays open and reads only the id of its session, because thousands of them share the
 * machine with the gateway. Undefined if it was refused or cut off.
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
