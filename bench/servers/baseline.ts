import { nanoid } from "nanoid";

/** The messages of the gateway's protocol that the benchmarks send. */
interface FloorMessage {
  readonly type: "connect" | "open" | "update" | "subscribe";
  readonly id?: number;
  readonly sessionId?: string;
}

/** What a floor does for one message: who is answered what. */
export interface Floor {
  /** Text for queries and for `publish`. */
  said: string;
  /** Returns the answer, if there is one. `subscribe` and `publish` act on the socket that the message came from. */
  receive(text: string, subscribe: () => void, publish: () => void): string | undefined;
}

/**
 * The least that a server can do with the same bytes: parse the JSON, set a Map, answer what has an id. It checks
 * nothing, verifies no token, and keeps no index.
 */
export function createFloor(): Floor {
  const sessions = new Map<string, FloorMessage>();
  const fold = createFold(Number(process.env.DIFF_INTERVAL_MS ?? 0));
  const floor: Floor = {
    said: "",
    receive(text, subscribe, publish) {
      const message: FloorMessage = JSON.parse(text);
      const { type, id } = message;
      if (type === "connect") return JSON.stringify({ type: "connected", id });
      if (type === "subscribe") {
        subscribe();
        return JSON.stringify({ type: "snapshot", id });
      }
      const sessionId = message.sessionId ?? nanoid();
      sessions.set(sessionId, message);
      if (type === "open") return JSON.stringify({ type: "opened", id, sessionId });
      if (floor.said !== "") fold(publish);
      return id === undefined ? undefined : JSON.stringify({ type: "ok", id });
    },
  };
  return floor;
}

/** Does something at once, and then once at the end of every interval in which it was asked for. */
function createFold(intervalMs: number): (act: () => void) => void {
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
