import { useRef } from "preact/hooks";
import { plural } from "../model/format.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";

/**
 * Announces changes of the connection and the result of a new filter to screen readers. Counts change all the
 * time, so they are not announced.
 */
export function Announcer({ store }: { readonly store: PresenceStore }) {
  useTopic(store.changed);
  const kind = store.isPending && store.phase.kind === "live" ? "pending" : store.phase.kind;
  const said = useRef({ occasion: "", text: "" });
  const occasion = `${kind} ${store.since}`;
  if (said.current.occasion !== occasion) said.current = { occasion, text: sentence(store, kind) };
  return (
    <p class="visually-hidden" role="status">
      {said.current.text}
    </p>
  );
}

function sentence(store: PresenceStore, kind: string): string {
  switch (kind) {
    case "live":
      return `Live: ${plural(store.rows.counts.users, "user matches", "users match")} the filter.`;
    case "reconnecting":
      return "Connection lost. Reconnecting. The page may be out of date.";
    case "refused":
      return "The gateway refuses this token.";
    case "failed":
      return "The connection has failed.";
    default:
      return "";
  }
}
