import { connect } from "node:net";

/** How long a connection may say nothing before it is taken to have said all. */
const QUIET_MS = 150;
/** Silence is counted in ticks: where the machine stands still none pass, and what stands still with it is not taken for silent. */
const TICK_MS = 10;

/** How often silence is taken for slowness while more is to come. */
const MOST_SILENCES = 20;

/**
 * Sends these bytes over a connection of their own; returns all that came back until it closed or fell silent. Silence
 * counts only when what came is enough, or for long.
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
    // A reset is one way of refusing.
    socket.on("error", done);
    socket.on("close", done);
  });
}

/** The status of each answer in what `sendRaw` returned. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/(?:^|\n|\})HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
}
