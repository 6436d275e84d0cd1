import { useMemo, useRef } from "preact/hooks";
import { type Conversation, conversationsOf, type Participant } from "../model/conversations.ts";
import { plural, sinceTime, wholeNumber } from "../model/format.ts";
import { windowOf } from "../model/window-of.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import { NARROW, useMedia } from "../store/use-media.ts";
import { useScroll } from "../store/use-scroll.ts";
import { useTopic } from "../store/use-topic.ts";
import type { TableActions } from "./table-actions.ts";
import { UserText } from "./user-text.tsx";

interface Props extends TableActions {
  readonly store: PresenceStore;
}

/** Pixels. The style sheet has the same values. */
const ROW_HEIGHT = 36;
const NARROW_ROW_HEIGHT = 60;
/** More names would not fit. The conversation itself has all. */
const MOST_NAMES = 6;
const NARROW_MOST_NAMES = 2;

/** The conversations of the rows, and who is in them. Only the rows on screen are in the page. */
export function ConversationTable({ store, onSelect, onConversation }: Props) {
  useTopic(store.changed);
  const table = useRef<HTMLDivElement>(null);
  const isNarrow = useMedia(NARROW);
  const rowHeight = isNarrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT;
  const { scrollTop, setScrollTop, height } = useScroll(table);
  const { shown } = store.rows;
  const conversations = useMemo(() => conversationsOf(shown), [shown]);
  const { first, end } = windowOf(scrollTop, height, rowHeight, conversations.length);
  return (
    <div
      ref={table}
      class={`grid conversations ${store.isLive ? "" : "stale"} ${store.isPending ? "pending" : ""}`}
      role="table"
      aria-label="Conversations"
      aria-rowcount={conversations.length + 1}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it
      tabIndex={0}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
    >
      <div role="rowgroup" class="grid-head">
        <div role="row" class="grid-row" aria-rowindex={1}>
          {["Conversation", "Users", "Available", "Focused", "Typing", "Who is in it"].map((title) => (
            <div key={title} role="columnheader" class="cell">
              {title}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" class="grid-body" style={{ height: `${conversations.length * rowHeight}px` }}>
        {conversations.slice(first, end).map((conversation, offset) => (
          <ConversationRow
            key={JSON.stringify(conversation.id)}
            conversation={conversation}
            index={first + offset}
            top={(first + offset) * rowHeight}
            mostNames={isNarrow ? NARROW_MOST_NAMES : MOST_NAMES}
            onSelect={onSelect}
            onConversation={onConversation}
          />
        ))}
      </div>
    </div>
  );
}

interface RowProps extends TableActions {
  readonly conversation: Conversation;
  readonly index: number;
  readonly top: number;
  readonly mostNames: number;
}

function ConversationRow({ conversation, index, top, mostNames, onSelect, onConversation }: RowProps) {
  const { id, participants, available, focused, typing } = conversation;
  const more = participants.length - mostNames;
  return (
    <div role="row" class="grid-row" aria-rowindex={index + 2} style={{ transform: `translateY(${top}px)` }}>
      <div role="rowheader" class="cell conversation">
        <button
          type="button"
          class={id === null ? "link muted" : "link"}
          title="Show the users of this conversation"
          onClick={() => onConversation(id)}
        >
          {id === null ? "none" : <UserText text={id} />}
        </button>
      </div>
      <div role="cell" class="cell number">
        {wholeNumber(participants.length)}
        <span class="unit"> {participants.length === 1 ? "user" : "users"}</span>
      </div>
      <div role="cell" class="cell number available">
        {wholeNumber(available)}
        <span class="unit"> available</span>
      </div>
      <div role="cell" class="cell number">
        {wholeNumber(focused)}
        <span class="unit"> focused</span>
      </div>
      <div role="cell" class="cell number">
        {wholeNumber(typing)}
        <span class="unit"> typing</span>
      </div>
      <div role="cell" class="cell participants">
        {participants.slice(0, mostNames).map((participant) => (
          <Name key={participant.userId} participant={participant} onSelect={onSelect} />
        ))}
        {more > 0 && <span class="more">{plural(more, "more", "more")}</span>}
      </div>
    </div>
  );
}

function Name({
  participant,
  onSelect,
}: {
  readonly participant: Participant;
  readonly onSelect: TableActions["onSelect"];
}) {
  const { userId, isTyping, since } = participant;
  return (
    <button
      type="button"
      class="link participant"
      title={`${userId}, in this conversation since ${sinceTime(since)}`}
      onClick={() => onSelect(userId)}
    >
      <bdi class="user-text">{userId}</bdi>
      {isTyping && <span class="participant-typing"> typing</span>}
    </button>
  );
}
