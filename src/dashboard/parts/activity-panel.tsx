import type { ComponentChild, TargetedKeyboardEvent } from "preact";
import { CAUSE_TEXTS, type FeedEntry } from "../model/activity-log.ts";
import { clockTime } from "../model/format.ts";
import type { Watch } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";
import { UserText } from "./user-text.tsx";

interface Props {
  readonly watch: Watch;
  readonly onSelect: (userId: string) => void;
}

/** Who entered the result and who left it, and why; the newest first. */
export function FeedPanel({ watch, onSelect }: Props) {
  useTopic(watch.changed);
  const entries = watch.feed.entries();
  return (
    <section class={watch.isLive ? "panel feed" : "panel feed stale"} aria-labelledby="feed-title">
      <h2 id="feed-title">Entered and left</h2>
      {entries.length === 0 ? (
        <p class="muted">Nobody yet since the page began to look.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <ol class="feed-list" tabIndex={0} aria-labelledby="feed-title" onKeyDown={moveFocus}>
          {entries.map((entry) => rendered(entry, onSelect))}
        </ol>
      )}
    </section>
  );
}

/** The arrow keys go from user to user: two hundred of them are no stops for the tab key. */
function moveFocus(event: TargetedKeyboardEvent<HTMLOListElement>): void {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  event.preventDefault();
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  buttons[Math.max(0, Math.min(at + step, buttons.length - 1))]?.focus();
}

/** An entry never changes: the same node again costs no work. */
const nodes = new WeakMap<FeedEntry, ComponentChild>();

function rendered(entry: FeedEntry, onSelect: (userId: string) => void): ComponentChild {
  let node = nodes.get(entry);
  if (node === undefined) {
    const { number, at, userId, cause } = entry;
    node = (
      <li key={number} class={cause === undefined ? "entered" : "left"}>
        <time>{clockTime(at)}</time>
        <button type="button" class="link" tabIndex={-1} onClick={() => onSelect(userId)}>
          <UserText text={userId} />
        </button>
        <span class="feed-what">{cause === undefined ? "entered" : `left: ${CAUSE_TEXTS[cause]}`}</span>
      </li>
    );
    nodes.set(entry, node);
  }
  return node;
}
