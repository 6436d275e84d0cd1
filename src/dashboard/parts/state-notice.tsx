import { clockTime } from "../model/format.ts";
import type { Watch } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";

/** What is to be said of the table, or in its place; nothing while all is well. */
export function StateNotice({ watch, search }: { readonly watch: Watch; readonly search: string }) {
  useTopic(watch.changed);
  const { phase, rows } = watch;
  switch (phase.kind) {
    case "refused":
      return (
        <Notice title="No rights" kind="bad">
          The gateway refuses this: {phase.message}. Sign out, and in again with another app token.
        </Notice>
      );
    case "failed":
      return (
        <Notice title="This has failed" kind="bad">
          {phase.message}
          <button class="button" type="button" onClick={() => watch.retry()}>
            Try again
          </button>
        </Notice>
      );
    case "reconnecting":
      return (
        <Notice title="The connection is lost" kind="warn">
          {phase.asOf === undefined
            ? "The gateway could not be reached yet."
            : `What you see is as of ${clockTime(phase.asOf)}.`}
        </Notice>
      );
    case "connecting":
      return rows.shown.length === 0 ? <Notice title="Connecting…" kind="calm" /> : null;
    case "live":
      if (watch.isPending)
        return rows.shown.length === 0 ? <Notice title="Asking who is there…" kind="calm" /> : null;
      if (rows.shown.length > 0) return null;
      return rows.counts.users > 0 ? (
        <Notice title="Nobody is found" kind="calm">
          Nobody of those whom the filter matches has “<bdi>{search}</bdi>”.
        </Notice>
      ) : (
        <Notice title="Nobody is here" kind="calm">
          The filter matches nobody at the moment. Whoever comes shows up by themselves.
        </Notice>
      );
  }
}

interface NoticeProps {
  readonly title: string;
  readonly kind: "bad" | "warn" | "calm";
  readonly children?: preact.ComponentChildren;
}

function Notice({ title, kind, children }: NoticeProps) {
  return (
    <div class={`notice ${kind}`}>
      <strong>{title}</strong>
      {children !== undefined && <div class="notice-text">{children}</div>}
    </div>
  );
}
