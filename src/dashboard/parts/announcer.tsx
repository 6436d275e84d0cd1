import { useRef } from "preact/hooks";
import { plural } from "../model/format.ts";
import type { Watch } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";

/**
 * Tells those who do not see the page what changed as a whole: the connection, and the answer to another filter. Counts
 * that change all day are not read out.
 */
export function Announcer({ watch }: { readonly watch: Watch }) {
  useTopic(watch.changed);
  const kind = watch.isPending && watch.phase.kind === "live" ? "pending" : watch.phase.kind;
  const said = useRef({ occasion: "", text: "" });
  const occasion = `${kind} ${watch.since}`;
  if (said.current.occasion !== occasion) said.current = { occasion, text: sentence(watch, kind) };
  return (
    <p class="visually-hidden" role="status">
      {said.current.text}
    </p>
  );
}

function sentence(watch: Watch, kind: string): string {
  switch (kind) {
    case "live":
      return `Live: ${plural(watch.rows.counts.users, "user matches", "users match")} the filter.`;
    case "reconnecting":
      return "Connection lost. Reconnecting; what is shown may be old.";
    case "refused":
      return "The gateway refuses this token.";
    case "failed":
      return "The connection has failed.";
    default:
      return "";
  }
}
