import { expect } from "vitest";
import { PageTurns } from "../../src/server/gateway/page-turns.ts";
import { createCounters, type Telemetry } from "../../src/server/gateway/telemetry.ts";
import { TurnBudget } from "../../src/server/gateway/turn-budget.ts";
import type { ViewChannel } from "../../src/server/gateway/view-channel.ts";

/** Telemetry for tests without a gateway; a defect fails the test, unless `crashed` says otherwise. */
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

/** Everything is done in one turn. For tests that call everything in one turn. */
export function endlessTurn(): TurnBudget {
  return new TurnBudget(fail, Number.POSITIVE_INFINITY);
}

/** Pages for send queues that belong to no gateway: all in one turn. */
export function testPageTurns(): PageTurns {
  return new PageTurns(endlessTurn());
}

/** For send queues and subscriptions that are not to fail. */
export const TEST_OWNER = { onBacklog: () => {}, onFailure: fail };

/** Flushes the view of a channel, and delivers the diff to all subscribers. */
export function publish(channel: ViewChannel): void {
  channel.publish(channel.view.flush().diff);
  channel.deliverSome(Number.POSITIVE_INFINITY);
}
