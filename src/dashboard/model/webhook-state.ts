import { duration } from "./format.ts";

/** A webhook of the app, in the response of `stats`. */
export interface WebhookStats {
  readonly id: string;
  /** Messages that the receiver accepted since the node started. */
  readonly deliveries: number;
  /** Attempts that failed since the node started. */
  readonly failures: number;
  /** Age of the oldest change that the receiver has not accepted; 0 if there is none. */
  readonly secondsBehind: number;
  /** The receiver has answered 410. */
  readonly off: boolean;
  /** This node is the one that delivers. */
  readonly delivering: boolean;
}

interface WebhookState {
  readonly text: string;
  /** Somebody has to look at the receiver. */
  readonly isProblem: boolean;
}

/** A receiver that answers in time is less than this behind: an attempt takes at most 10 s. */
const LATE_SECONDS = 10;

/** Says how a webhook is doing. */
export function webhookState({ off, delivering, secondsBehind }: WebhookStats): WebhookState {
  if (off) return { text: "switched off: the receiver answered 410", isProblem: true };
  if (!delivering) return { text: "not delivered by this node", isProblem: false };
  if (secondsBehind >= LATE_SECONDS) return { text: `${duration(secondsBehind)} behind`, isProblem: true };
  return { text: "up to date", isProblem: false };
}
