import type { ClientMessageType } from "../../protocol/messages.ts";

/** Reasons for refusals: the fixed label set of the metric and of the sampled log lines. */
export const REFUSALS = [
  "unknown_app",
  "origin",
  "connections",
  "connections_per_address",
  "connect_rate",
  "newcomers",
  "newcomers_per_address",
  "tcp_connections",
  "starting",
  "memory",
  "draining",
  "binary",
  "too_large",
  "not_json",
  "bad_message",
  "unauthenticated",
  "connect_timeout",
  "forbidden",
  "not_found",
  "limit_reached",
  "rate_limited",
  "flooding",
  "token_expired",
  "slow_reader",
  "heartbeat",
  "http_rate",
  "anonymous_rate",
  "body_bytes",
  "handler_crash",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** A count for each type of message. A new type without one does not compile. */
const NO_MESSAGES: Readonly<Record<ClientMessageType, number>> = {
  connect: 0,
  open: 0,
  update: 0,
  close: 0,
  subscribe: 0,
  unsubscribe: 0,
  query: 0,
  status: 0,
  last_seen: 0,
  refresh: 0,
  ping: 0,
};

/** What the gateway counts: plain numbers on the hot paths, which metrics read when they are scraped. */
export interface Telemetry {
  readonly messages: Record<ClientMessageType, number>;
  diffs: number;
  deliveries: number;
  lagged: number;
  slowReadersDisconnected: number;
  appReloads: number;
  appReloadFailures: number;
  jwksFetches: number;
  jwksFailures: number;
  /** Counts a refusal. `detail` may be logged, so it must not repeat what a client sent. */
  refused(refusal: Refusal, detail?: string): void;
  /** A handler threw: a defect, which ended one request or socket and nothing else. */
  crashed(error: unknown): void;
  observeDiffDelay(ms: number): void;
  observeQuery(ms: number): void;
}

/** The counts of `Telemetry`. A new one must have its start here. */
export function createCounters(): Omit<
  Telemetry,
  "refused" | "crashed" | "observeDiffDelay" | "observeQuery"
> {
  return {
    messages: { ...NO_MESSAGES },
    diffs: 0,
    deliveries: 0,
    lagged: 0,
    slowReadersDisconnected: 0,
    appReloads: 0,
    appReloadFailures: 0,
    jwksFetches: 0,
    jwksFailures: 0,
  };
}
