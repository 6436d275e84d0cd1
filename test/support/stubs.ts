import { expect } from "vitest";
import { PageTurns } from "../../src/server/gateway/page-turns.ts";
import { createCounters, type Telemetry } from "../../src/server/gateway/telemetry.ts";
import { TurnBudget } from "../../src/server/gateway/turn-budget.ts";
import type { ViewChannel } from "../../src/server/gateway/view-channel.ts";

/** Telemetry for tests without a gateway. An internal error fails the test, unless `crashed` handles it. */
export function testTelemetry(crashed = (error: unknown): void => expect.fail(String(error))): Telemetry {
  return {
    ...createCounters(),
    refused: () => {},
    crashed,
    observeDiffDelay: () => {},
    observeQuery: () => {},
  };
}

function fail(error: unknown): void {
  throw error;
}

/** A budget without a limit, for tests that do everything in one turn. */
export function endlessTurn(): TurnBudget {
  return new TurnBudget(fail, Number.POSITIVE_INFINITY);
}

/** Pages for send queues without a gateway, all in one turn. */
export function testPageTurns(): PageTurns {
  return new PageTurns(endlessTurn());
}

/** An owner for send queues and subscriptions that must not fail. */
export const TEST_OWNER = { onBacklog: () => {}, onFailure: fail };

/** Flushes the view of a channel and delivers the diff to all subscribers. */
export function publish(channel: ViewChannel): void {
  channel.publish(channel.view.flush().diff);
  channel.deliverSome(Number.POSITIVE_INFINITY);
}
