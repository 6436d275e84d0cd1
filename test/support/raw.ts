import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A connection that is silent for this long has sent everything. */
const QUIET_MS = 150;
/**
 * Silence is counted in ticks. While the machine pauses there are no ticks, so a pause does not count as
 * silence.
 */
const TICK_MS = 10;

/** How often silence counts as slowness while more is expected. */
const MOST_SILENCES = 20;

/**
 * Sends bytes over a new connection. Resolves with everything received until the connection closed or became
 * silent. Silence counts only if enough has arrived, or after a long time.
 */
export function sendRaw(
  port: number,
  bytes: string | Buffer,
  quietMs = QUIET_MS,
  isEnough: (text: string) => boolean = (text) => text !== "",
): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    const done = () => {
      clearInterval(timer);
      socket.destroy();
      resolve(text);
    };
    let silences = 0;
    let ticks = 0;
    const timer = setInterval(() => {
      if (++ticks * TICK_MS < quietMs) return;
      ticks = 0;
      if (isEnough(text) || ++silences === MOST_SILENCES) done();
    }, TICK_MS);
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      text += chunk;
      ticks = 0;
    });
    // A reset is one way to refuse.
    socket.on("error", done);
    socket.on("close", done);
  });
}

/**
 * Sends packets over a new connection, each after the one before has left. Resolves when the connection has
 * ended, or when `isEnough` resolves, which is called after the last of them.
 */
export async function sendPackets(
  port: number,
  packets: readonly string[],
  isEnough: () => Promise<unknown>,
): Promise<void> {
  const tcp = connect(port, "127.0.0.1");
  tcp.setNoDelay(true);
  tcp.on("error", () => {});
  tcp.resume();
  const closed = new Promise<void>((resolve) => tcp.on("close", () => resolve()));
  for (const packet of packets) {
    if (tcp.destroyed) break;
    await Promise.race([closed, new Promise((sent) => tcp.write(packet, "latin1", sent))]);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.race([closed, isEnough()]);
  tcp.destroy();
}

/** The status of each response in a result of `sendRaw`. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/(?:^|\n|\})HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
}

/** A TCP connection with the text that it has received. */
export interface RawConnection {
  readonly tcp: Socket;
  text: string;
  /** Whether the connection has ended. */
  isOver: boolean;
}

/** Opens a TCP connection from a local address and collects what it receives. */
export async function dial(port: number, localAddress: string): Promise<RawConnection> {
  const tcp = connect({ port, host: "127.0.0.1", localAddress });
  const connection: RawConnection = { tcp, text: "", isOver: false };
  tcp.setEncoding("latin1");
  tcp.on("data", (chunk: string) => {
    connection.text += chunk;
  });
  tcp.on("error", () => {});
  tcp.on("close", () => {
    connection.isOver = true;
  });
  await once(tcp, "connect");
  return connection;
}
