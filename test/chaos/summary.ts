import type { ChaosWorld, Measured } from "./chaos-world.ts";
import type { Violation } from "./oracle.ts";
import type { QuietPoints } from "./quiet-points.ts";

export interface Summary {
  readonly events: ReadonlyMap<string, number>;
  readonly quietPoints: number;
  readonly restarts: number;
  readonly slowReturns: number;
  /** How often a slow reader got a snapshot instead of diffs. */
  readonly lagged: number;
  readonly violations: readonly { readonly violation: Violation; readonly history: readonly string[] }[];
  readonly latency: {
    readonly samples: number;
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
  };
  readonly rss: { readonly begin: number | undefined; readonly end: number | undefined };
  readonly files: { readonly begin: number | undefined; readonly end: number | undefined };
  /** The longest delay of the machine for which deadlines had extra time. */
  readonly machineDelayMs: number;
  readonly loopDelayP99: number;
  readonly loopDelayMax: number;
  readonly observed: { readonly diffs: number; readonly snapshots: number; readonly reconnects: number };
}

/** The report of a run: the gateway at its beginning and end, and what happened between. */
export function summarize(
  world: ChaosWorld,
  quietPoints: QuietPoints,
  begin: Measured | undefined,
  end: Measured | undefined,
): Summary {
  const { observers } = world;
  const sum = (count: (each: (typeof observers)[number]) => number) =>
    observers.reduce((total, each) => total + count(each), 0);
  return {
    events: world.events,
    quietPoints: quietPoints.count,
    restarts: world.gateway.restarts,
    slowReturns: quietPoints.slowReturns,
    lagged: world.lagged,
    violations: world.apps.flatMap(({ oracle }) =>
      oracle.violations.map((violation) => ({ violation, history: oracle.history(violation.userId, 50) })),
    ),
    latency: world.healthy?.latency ?? { samples: 0, p50: 0, p99: 0, max: 0 },
    rss: { begin: begin?.health.rssBytes, end: end?.health.rssBytes },
    files: { begin: begin?.files, end: end?.files },
    machineDelayMs: Math.max(...world.apps.map(({ oracle }) => oracle.mostAllowedMs)),
    loopDelayP99: quietPoints.worstDelay.p99,
    loopDelayMax: quietPoints.worstDelay.max,
    observed: {
      diffs: sum(({ observer }) => observer.diffs),
      snapshots: sum(({ observer }) => observer.snapshots),
      reconnects: sum(({ reconnects }) => reconnects),
    },
  };
}
