import { clockTime } from "../model/format.ts";
import type { NodePoll } from "../store/node-poll.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";

interface Props {
  readonly store: PresenceStore;
  readonly poll: NodePoll;
  readonly search: string;
}

/** A message above the table or in place of it. It shows nothing while the table is live and has rows. */
export function StateNotice({ store, poll, search }: Props) {
  useTopic(store.changed);
  useTopic(poll.changed);
  const { phase, rows } = store;
  switch (phase.kind) {
    case "refused":
      return (
        <Notice title="No rights" kind="bad">
          The gateway refuses the request: {phase.message}. Enter another app token above.
        </Notice>
      );
    case "failed":
      return (
        <Notice title="This has failed" kind="bad">
          {phase.message}
          <button class="button" type="button" onClick={() => store.retry()}>
            Try again
          </button>
        </Notice>
      );
    case "reconnecting":
      return (
        <Notice title="The connection is lost" kind="warn">
          {phase.asOf === undefined ? whyNotYet(poll) : `What you see is as of ${clockTime(phase.asOf)}.`}
        </Notice>
      );
    case "connecting":
      return rows.shown.length === 0 ? <Notice title="Connecting…" kind="calm" /> : null;
    case "live":
      if (store.isPending)
        return rows.shown.length === 0 ? <Notice title="Loading users…" kind="calm" /> : null;
      if (rows.shown.length > 0) return null;
      return rows.counts.users > 0 ? (
        <Notice title="Nobody is found" kind="calm">
          No user that matches the filter contains “<bdi>{search}</bdi>”.
        </Notice>
      ) : (
        <Notice title="Nobody is here" kind="calm">
          No user matches the filter at the moment. New users appear here automatically.
        </Notice>
      );
  }
}

/** A browser does not tell a page why its WebSocket was refused. That HTTP works leaves two reasons. */
function whyNotYet({ health, problem }: NodePoll): string {
  if (health === undefined || problem !== undefined) return "The gateway could not be reached yet.";
  return (
    "The gateway answers over HTTP, but no WebSocket opens. " +
    `If the app has allowedOrigins, add "${location.origin}". A proxy must pass Upgrade.`
  );
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
