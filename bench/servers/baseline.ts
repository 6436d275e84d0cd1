import { nanoid } from "nanoid";

/** The messages of the gateway's protocol that the benchmarks send. */
interface BaselineMessage {
  readonly type: "connect" | "open" | "update" | "subscribe";
  readonly id?: number;
  readonly sessionId?: string;
}

/** How a baseline processes one message. */
export interface Baseline {
  /** The response to queries, and the text that `publish` sends. */
  text: string;
  /** Returns the reply, if there is one. `subscribe` acts on the socket that sent the message. */
  receive(text: string, subscribe: () => void, publish: () => void): string | undefined;
}

/**
 * The least work that a server can do for the same messages: parse the JSON, set a Map entry, reply to a
 * message with an id. It checks nothing, verifies no token, and keeps no index.
 */
export function createBaseline(): Baseline {
  const sessions = new Map<string, BaselineMessage>();
  const paced = createPacing(Number(process.env.DIFF_INTERVAL_MS ?? 0));
  const baseline: Baseline = {
    text: "",
    receive(text, subscribe, publish) {
      const message: BaselineMessage = JSON.parse(text);
      const { type, id } = message;
      if (type === "connect") return JSON.stringify({ type: "connected", id });
      if (type === "subscribe") {
        subscribe();
        return JSON.stringify({ type: "snapshot", id });
      }
      const sessionId = message.sessionId ?? nanoid();
      sessions.set(sessionId, message);
      if (type === "open") return JSON.stringify({ type: "opened", id, sessionId });
      if (baseline.text !== "") paced(publish);
      return id === undefined ? undefined : JSON.stringify({ type: "ok", id });
    },
  };
  return baseline;
}

/** Returns a function that acts at once, and then at most once per interval, at its end. */
function createPacing(intervalMs: number): (act: () => void) => void {
  let isResting = false;
  let isMarked = false;
  const run = (act: () => void) => {
    if (isResting) {
      isMarked = true;
      return;
    }
    act();
    if (intervalMs === 0) return;
    isResting = true;
    setTimeout(() => {
      isResting = false;
      if (!isMarked) return;
      isMarked = false;
      run(act);
    }, intervalMs);
  };
  return run;
}
