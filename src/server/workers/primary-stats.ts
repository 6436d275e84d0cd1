import { type AppStats, addStats } from "../http/app-stats.ts";

interface KnownApp {
  /** By worker, its last answer. */
  readonly last: Map<number, AppStats>;
  /** What processes that have ended have counted. */
  ended: AppStats;
}

const NONE = addStats([]);

/** What the workers know of each app besides its sessions. As with their metrics, no count falls. */
export class PrimaryStats {
  /** By app: those that somebody has asked about. */
  readonly #apps = new Map<string, KnownApp>();

  /** The process of a worker has ended. Another one may have its number later. */
  left(worker: number): void {
    for (const app of this.#apps.values()) {
      const last = app.last.get(worker);
      if (last === undefined) continue;
      app.last.delete(worker);
      app.ended = addStats([app.ended, countsOf(last)]);
    }
  }

  /**
   * What is to be added up: what each worker knows of the app, and what those before them have counted.
   * `answers`: of the workers that have answered.
   */
  read(appId: string, answers: ReadonlyMap<number, unknown>): readonly AppStats[] {
    const app: KnownApp = this.#apps.get(appId) ?? { last: new Map(), ended: NONE };
    for (const [worker, answer] of answers) {
      if (typeof answer === "object" && answer !== null) app.last.set(worker, answer as AppStats);
      else app.last.delete(worker);
    }
    const now = [...app.last.values()];
    // None serves the app any more.
    if (now.length === 0 && answers.size > 0) this.#apps.delete(appId);
    else this.#apps.set(appId, app);
    const ids = new Set(now.flatMap(({ webhooks }) => webhooks.map(({ id }) => id)));
    // What is not there any more was taken out of the configuration.
    return [...now, { ...app.ended, webhooks: app.ended.webhooks.filter(({ id }) => ids.has(id)) }];
  }
}

function countsOf({ webhooks }: AppStats): AppStats {
  const ended = { secondsBehind: 0, off: false, delivering: false };
  return { ...NONE, webhooks: webhooks.map((webhook) => ({ ...webhook, ...ended })) };
}
