import { clockTime } from "../model/format.ts";
import type { Phase, PresenceStore } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";

/** Shows whether the page is live or paused, in a few words. */
export function StatusPill({ store }: { readonly store: PresenceStore }) {
  useTopic(store.changed);
  useTopic(store.ticked);
  const { phase, pausedAt } = store;
  return (
    <p class={`status-pill ${phase.kind} ${pausedAt === undefined ? "" : "paused"}`}>
      <span class="status-dot" aria-hidden="true" />
      <span>{phaseText(phase, pausedAt, Date.now())}</span>
    </p>
  );
}

function phaseText(phase: Phase, pausedAt: number | undefined, now: number): string {
  switch (phase.kind) {
    case "connecting":
      return "Connecting…";
    case "live":
      return pausedAt === undefined ? "Live" : `Paused at ${clockTime(pausedAt)}`;
    case "refused":
      return "No rights";
    case "failed":
      return "Failed";
    case "reconnecting": {
      const { retryAt, asOf } = phase;
      const seconds = retryAt === undefined ? 0 : Math.ceil((retryAt - now) / 1000);
      const when = seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting…";
      return asOf === undefined ? when : `${when}, as of ${clockTime(asOf)}`;
    }
  }
}
