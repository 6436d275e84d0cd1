import { useRef, useState } from "preact/hooks";
import type { DashboardState } from "../model/dashboard-state.ts";
import { scrollTopFor, windowOf } from "../model/window-of.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import type { ChangeState } from "../store/use-dashboard-state.ts";
import { NARROW, useMedia } from "../store/use-media.ts";
import { useScroll } from "../store/use-scroll.ts";
import { useTopic } from "../store/use-topic.ts";
import { type Cell, moveCell } from "./move-cell.ts";
import type { TableActions } from "./table-actions.ts";
import { COLUMNS } from "./table-columns.ts";
import { TableHead } from "./table-head.tsx";
import { cellId, TableRow } from "./table-row.tsx";

interface Props extends TableActions {
  readonly store: PresenceStore;
  readonly state: DashboardState;
  readonly selected: string | undefined;
  readonly onChange: ChangeState;
}

/** Pixels. The style sheet has the same values. */
const ROW_HEIGHT = 36;
const NARROW_ROW_HEIGHT = 60;
const HEAD_HEIGHT = 34;

/** The grid of rows. Only the rows on screen are in the page. The keyboard moves one active cell. */
export function PresenceTable({ store, state, selected, onChange, ...given }: Props) {
  useTopic(store.changed);
  // Renders again so that the highlight of a changed row ends.
  useTopic(store.ticked);
  const grid = useRef<HTMLDivElement>(null);
  const isNarrow = useMedia(NARROW);
  const rowHeight = isNarrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT;
  const headHeight = isNarrow ? 0 : HEAD_HEIGHT;
  const { scrollTop, setScrollTop, height } = useScroll(grid);
  const [active, setActive] = useState<Cell | undefined>();
  const actions: TableActions = {
    ...given,
    onSelect(userId) {
      setActive({ userId, column: active?.column ?? 0 });
      given.onSelect(userId);
    },
  };

  const { sort, filter } = state;
  const rows = store.rows.shown;
  const visibleHeight = height - headHeight;
  const { first, end } = windowOf(scrollTop, visibleHeight, rowHeight, rows.length);
  // The active cell follows its user when a change moves the row.
  const activeIndex = active === undefined ? -1 : store.rows.indexOf(active.userId);
  const isActiveShown = activeIndex >= first && activeIndex < end;

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== grid.current) return;
    if (event.key === "Enter" || event.key === " ") {
      if (active === undefined || activeIndex === -1) return;
      event.preventDefault();
      const button = document.getElementById(cellId(activeIndex, active.column))?.querySelector("button");
      if (button && event.key === "Enter") button.click();
      else actions.onSelect(active.userId);
      return;
    }
    const page = Math.max(1, Math.floor(visibleHeight / rowHeight) - 1);
    const moved = moveCell(event.key, event.ctrlKey, activeIndex, active?.column ?? 0, rows, page);
    if (moved === undefined) return;
    event.preventDefault();
    setActive(moved);
    const { current } = grid;
    const index = store.rows.indexOf(moved.userId);
    current!.scrollTop = scrollTopFor(index, current!.scrollTop, visibleHeight, rowHeight);
    // At once: the cell must be in the page when aria-activedescendant names it.
    setScrollTop(current!.scrollTop);
  };

  return (
    <div
      ref={grid}
      class={`grid ${store.isLive ? "" : "stale"} ${store.isPending ? "pending" : ""}`}
      role="grid"
      aria-label="Users"
      aria-rowcount={rows.length + 1}
      aria-colcount={COLUMNS.length}
      aria-busy={store.isPending}
      aria-activedescendant={isActiveShown ? cellId(activeIndex, active!.column) : undefined}
      tabIndex={0}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <TableHead
        sort={sort}
        isInConversation={typeof filter.selectedConversationId === "string"}
        onChange={onChange}
      />
      <div role="rowgroup" class="grid-body" style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(first, end).map((row, offset) => (
          <TableRow
            key={row.userId}
            row={row}
            index={first + offset}
            top={(first + offset) * rowHeight}
            // Sorted by change, all rows on screen have just changed. Their place says so.
            isHighlighted={sort.key !== "changed"}
            isSelected={row.userId === selected}
            activeColumn={first + offset === activeIndex ? active!.column : undefined}
            {...actions}
          />
        ))}
      </div>
    </div>
  );
}
