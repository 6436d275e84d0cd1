import { Component, type TargetedKeyboardEvent } from "preact";
import { type ActivityEntry, CAUSE_TEXTS } from "../model/activity-log.ts";
import { clockTime } from "../model/format.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";
import { UserText } from "./user-text.tsx";

interface Props {
  readonly store: PresenceStore;
  readonly onSelect: (userId: string) => void;
}

/** Users that entered or left the result and the cause of each leave, newest first. */
export function ActivityPanel({ store, onSelect }: Props) {
  useTopic(store.changed);
  const entries = store.activity.entries();
  return (
    <section
      class={store.isLive ? "panel activity" : "panel activity stale"}
      aria-labelledby="activity-title"
    >
      <h2 id="activity-title">Entered and left</h2>
      {entries.length === 0 ? (
        <p class="muted">Nobody has entered or left yet.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it
        <ol class="activity-list" tabIndex={0} aria-labelledby="activity-title" onKeyDown={moveFocus}>
          {entries.map((entry) => (
            <ActivityItem key={entry.number} entry={entry} onSelect={onSelect} />
          ))}
        </ol>
      )}
    </section>
  );
}

/** The arrow keys move between the entries. The tab key would need two hundred stops. */
function moveFocus(event: TargetedKeyboardEvent<HTMLOListElement>): void {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  event.preventDefault();
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  buttons[Math.max(0, Math.min(at + step, buttons.length - 1))]?.focus();
}

interface ItemProps {
  readonly entry: ActivityEntry;
  readonly onSelect: (userId: string) => void;
}

/**
 * One entry. It is rendered once, since an entry never changes. Rendered nodes must not be kept for that: a
 * node that is used again holds the list that it was in before, and so every earlier list.
 */
class ActivityItem extends Component<ItemProps> {
  override shouldComponentUpdate({ entry, onSelect }: ItemProps): boolean {
    return entry !== this.props.entry || onSelect !== this.props.onSelect;
  }

  override render({ entry, onSelect }: ItemProps) {
    const { at, userId, cause } = entry;
    if (userId === undefined) {
      return (
        <li class="divider">
          <time>{clockTime(at)}</time>
          <span>Filter changed</span>
        </li>
      );
    }
    return (
      <li class={cause === undefined ? "entered" : "left"}>
        <time>{clockTime(at)}</time>
        <button type="button" class="link" tabIndex={-1} onClick={() => onSelect(userId)}>
          <UserText text={userId} />
        </button>
        <span class="activity-cause">{cause === undefined ? "entered" : `left: ${CAUSE_TEXTS[cause]}`}</span>
      </li>
    );
  }
}
