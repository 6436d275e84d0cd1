import { clockTime, plural, sinceTime } from "../model/format.ts";
import { type Attention, type Row, sessionsOf } from "../model/row.ts";
import type { TableActions } from "./table-actions.ts";
import { COLUMNS } from "./table-columns.ts";
import { UserStatus } from "./user-status.tsx";
import { UserText } from "./user-text.tsx";

interface Props extends TableActions {
  readonly row: Row;
  readonly index: number;
  readonly top: number;
  readonly isSelected: boolean;
  /** Whether a change highlights the row. */
  readonly isHighlighted: boolean;
  readonly activeColumn: number | undefined;
}

/** How long a changed row is highlighted. */
const MARK_MS = 1_600;

const ATTENTION_TEXTS: Readonly<Record<Attention, string>> = {
  typing: "typing",
  focused: "focused",
  visible: "on screen",
  background: "background",
};

export function cellId(index: number, column: number): string {
  return `cell-${index}-${column}`;
}

export function TableRow({ row, index, top, isSelected, isHighlighted, activeColumn, ...actions }: Props) {
  const isMarked = isHighlighted && row.changedAt > 0 && Date.now() - row.changedAt < MARK_MS;
  // Two class names for the same highlight: switching between them restarts the animation.
  const mark = isMarked ? (row.changes % 2 === 0 ? "marked-even" : "marked-odd") : "";
  return (
    <div
      role="row"
      class={`grid-row ${mark} ${isSelected ? "selected" : ""}`}
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      style={{ transform: `translateY(${top}px)` }}
      onClick={(event) => {
        if (!(event.target as Element).closest("button")) actions.onSelect(row.userId);
      }}
    >
      {COLUMNS.map(({ name }, column) => (
        <div
          key={name}
          role="gridcell"
          id={cellId(index, column)}
          class={`cell ${name} ${column === activeColumn ? "active" : ""}`}
          aria-colindex={column + 1}
        >
          {content(name, row, actions)}
        </div>
      ))}
    </div>
  );
}

function content(name: (typeof COLUMNS)[number]["name"], row: Row, actions: TableActions) {
  const { userId, value, main } = row;
  switch (name) {
    case "user":
      return (
        <button type="button" class="link" tabIndex={-1} onClick={() => actions.onSelect(userId)}>
          <UserText text={userId} />
        </button>
      );
    case "status":
      return <UserStatus value={value} />;
    case "attention":
      return <span class={`badge ${row.attention}`}>{ATTENTION_TEXTS[row.attention]}</span>;
    case "conversation":
      return <Conversation row={row} onConversation={actions.onConversation} />;
    case "sessions":
      return [
        value.widgets.length > 0 && plural(value.widgets.length, "widget"),
        value.backgroundSessions.length > 0 && `${value.backgroundSessions.length} background`,
      ]
        .filter(Boolean)
        .join(" · ");
    case "custom":
      return <Custom custom={main?.custom ?? {}} />;
    case "since":
      return sinceTime(row.since);
    case "changed":
      return row.changedAt === 0 ? <span class="muted">–</span> : clockTime(row.changedAt);
  }
}

function Conversation({ row, onConversation }: { row: Row; onConversation: TableActions["onConversation"] }) {
  const id = row.main?.selectedConversationId ?? null;
  const others = new Set(sessionsOf(row.value).map((session) => session.selectedConversationId ?? id));
  others.delete(id);
  return (
    <>
      <button
        type="button"
        class={id === null ? "link muted" : "link"}
        tabIndex={-1}
        title={id === null ? "Show only users in no conversation" : "Show only this conversation"}
        onClick={() => onConversation(id)}
      >
        {id === null ? "none" : <UserText text={id} />}
      </button>
      {others.size > 0 && (
        <span class="more" title="In other conversations too">
          +{others.size}
        </span>
      )}
    </>
  );
}

function Custom({ custom }: { readonly custom: Readonly<Record<string, string>> }) {
  const entries = Object.entries(custom);
  const title = entries.map(([name, value]) => `${name}: ${value}`).join("\n");
  return (
    <span class="pairs-line" title={title}>
      {entries.map(([name, value]) => (
        <span key={name} class="pair">
          <bdi class="pair-name">{name}</bdi> <bdi>{value}</bdi>
        </span>
      ))}
    </span>
  );
}
