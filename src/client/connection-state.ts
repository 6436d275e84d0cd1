import type { Status } from "./types.ts";

/**
 * The client's connection as a state machine. It is pure: sockets, timers and tokens belong to `Connection`,
 * which performs the effects. The part of a state's name before the dot is the status that the app sees. The
 * part after it is the effect of entering the state.
 *
 * | State                 | Waits for           | Event → next state                                    |
 * | --------------------- | ------------------- | ----------------------------------------------------- |
 * | `idle`                | a reason to connect | start → connecting.token                              |
 * | `connecting.token`    | a token             | token → connecting.socket                             |
 * | `connecting.socket`   | message `connected` | accepted → connected.listen                           |
 * | `connected.listen`    | any message         | message → connected.listen, wake → connected.ping     |
 * | `connected.ping`      | an answer to a ping | message → connected.listen                            |
 * | `reconnecting.wait`   | the next attempt    | retry → reconnecting.token, wake → reconnecting.wait  |
 * | `reconnecting.token`  | a token             | token → reconnecting.socket, wake → reconnecting.wait |
 * | `reconnecting.socket` | message `connected` | accepted → connected.listen                           |
 * | `failed`              | the app             | start → connecting.token                              |
 * | `closed`              |                     |                                                       |
 *
 * Besides: all states but `closed` have close → closed, and all but `failed` and `closed` have
 * suspend → idle. States that get a token or have a socket have lost → reconnecting.wait. States with a
 * socket have rejected → failed. A state ignores all other events.
 */
export type ConnectionState =
  | "idle"
  | "connecting.token"
  | "connecting.socket"
  | "connected.listen"
  | "connected.ping"
  | "reconnecting.wait"
  | "reconnecting.token"
  | "reconnecting.socket"
  | "failed"
  | "closed";

export type ConnectionEvent =
  /** The app has opened, subscribed or queried something; or it asks to try once more. */
  | "start"
  /** The page or the network came back, or nothing was heard for a heartbeat. */
  | "wake"
  /** The page is left; or the connection is lost while nothing is open, subscribed or asked. */
  | "suspend"
  /** The app closes the client. */
  | "close"
  | "token"
  /** The gateway has accepted the token. */
  | "accepted"
  /** A valid message arrived. */
  | "message"
  /** No token, no socket or no answer; or the gateway broke the protocol. */
  | "lost"
  /** Another attempt would end the same way. */
  | "rejected"
  /** The time of the next attempt has come. */
  | "retry";

export type ConnectionEffect =
  /** Closes the socket such that the gateway keeps the sessions. */
  | "drop"
  /** Closes the socket with a goodbye, which ends the sessions. */
  | "close"
  /** Tells the client that the status has changed. */
  | "status"
  // Each of these starts the one timer. They come last, for they may cause the next event at once.
  /** Gets a token. */
  | "token"
  /** Opens a socket. */
  | "socket"
  /** Waits for the next message. */
  | "listen"
  | "ping"
  /** Waits before the next attempt, after an error longer and longer, and tells the client until when. */
  | "wait";

type Transitions = Readonly<Partial<Record<ConnectionEvent, ConnectionState>>>;

export interface Step {
  readonly state: ConnectionState;
  /** What to do, in this order. Before it, the timer of the state that is left is stopped. */
  readonly effects: readonly ConnectionEffect[];
}

const running = { suspend: "idle", close: "closed" } as const;
const trying = { ...running, lost: "reconnecting.wait" } as const;
const withSocket = { ...trying, rejected: "failed" } as const;
const handshake = { ...withSocket, accepted: "connected.listen" } as const;
const online = { ...withSocket, message: "connected.listen" } as const;

const STATES: Readonly<Record<ConnectionState, Transitions>> = {
  idle: { ...running, start: "connecting.token" },
  "connecting.token": { ...trying, token: "connecting.socket" },
  "connecting.socket": handshake,
  "connected.listen": { ...online, wake: "connected.ping" },
  "connected.ping": online,
  "reconnecting.wait": { ...running, retry: "reconnecting.token", wake: "reconnecting.wait" },
  "reconnecting.token": { ...trying, token: "reconnecting.socket", wake: "reconnecting.wait" },
  "reconnecting.socket": handshake,
  failed: { close: "closed", start: "connecting.token" },
  closed: {},
};

/** What the app sees of a state. */
export function statusOf(state: ConnectionState): Status {
  return state.split(".")[0] as Status;
}

/** The state after an event and the effects of getting there; undefined if the state ignores the event. */
export function next(from: ConnectionState, event: ConnectionEvent): Step | undefined {
  const state = STATES[from][event];
  if (!state) return undefined;
  const effects: ConnectionEffect[] = [];
  // Only a state with a socket can be rejected.
  if (STATES[from].rejected && !STATES[state].rejected) effects.push(event === "close" ? "close" : "drop");
  const [status, effect] = state.split(".") as [Status, ConnectionEffect?];
  // `reconnecting` begins with a wait, which is reported with its time.
  if (status !== statusOf(from) && status !== "reconnecting") effects.push("status");
  if (effect) effects.push(effect);
  return { state, effects };
}
