import { clockTime } from "../model/format.ts";
import type { Phase, Watch } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";

/** In a word or a sentence: whether what is shown is live. */
export function StatusPill({ watch }: { readonly watch: Watch }) {
  useTopic(watch.changed);
  useTopic(watch.ticked);
  const { phase } = watch;
  return (
    <p class={`status-pill ${phase.kind}`}>
      <span class="status-dot" aria-hidden="true" />
      <span>{phaseText(phase, Date.now())}</span>
    </p>
  );
}

function phaseText(phase: Phase, now: number): string {
  switch (phase.kind) {
    case "connecting":
      return "Connecting…";
    case "live":
      return "Live";
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
