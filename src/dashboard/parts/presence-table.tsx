import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Sort } from "../model/dashboard-state.ts";
import { scrollTopFor, windowOf } from "../model/window-of.ts";
import type { Watch } from "../store/presence-store.ts";
import type { ChangeView } from "../store/use-dashboard-state.ts";
import { useMedia } from "../store/use-media.ts";
import { useTopic } from "../store/use-topic.ts";
import { type Cell, moveCell } from "./move-cell.ts";
import { COLUMNS } from "./table-columns.ts";
import { TableHead } from "./table-head.tsx";
import { cellId, TableRow } from "./table-row.tsx";

export interface TableActions {
  readonly onSelect: (userId: string) => void;
  readonly onUser: (userId: string) => void;
  readonly onConversation: (id: string | null) => void;
}

interface Props extends TableActions {
  readonly watch: Watch;
  readonly sort: Sort;
  readonly selected: string | undefined;
  readonly onChange: ChangeView;
}

/** As the style sheet has them. */
const ROW_HEIGHT = 36;
const NARROW_ROW_HEIGHT = 60;
const HEAD_HEIGHT = 34;
export const NARROW = "(max-width: 720px)";

/** The grid of rows: only those on screen are in the page, however many there are. One of its cells is active for the keys. */
export function PresenceTable({ watch, sort, selected, onChange, ...given }: Props) {
  useTopic(watch.changed);
  // Marks of changes end by themselves.
  useTopic(watch.ticked);
  const grid = useRef<HTMLDivElement>(null);
  const isNarrow = useMedia(NARROW);
  const rowHeight = isNarrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT;
  const headHeight = isNarrow ? 0 : HEAD_HEIGHT;
  const [scrollTop, setScrollTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [active, setActive] = useState<Cell | undefined>();
  const actions: TableActions = {
    ...given,
    onSelect(userId) {
      setActive({ userId, column: active?.column ?? 0 });
      given.onSelect(userId);
    },
  };
  useLayoutEffect(() => {
    const measure = () => setHeight(grid.current!.clientHeight);
    const resize = new ResizeObserver(measure);
    resize.observe(grid.current!);
    measure();
    return () => resize.disconnect();
  }, []);

  const rows = watch.rows.shown;
  const visibleHeight = height - headHeight;
  const { first, end } = windowOf(scrollTop, visibleHeight, rowHeight, rows.length);
  // The active cell goes with its user, wherever changes put the row.
  const activeIndex = active === undefined ? -1 : watch.rows.indexOf(active.userId);
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
    const index = watch.rows.indexOf(moved.userId);
    current!.scrollTop = scrollTopFor(index, current!.scrollTop, visibleHeight, rowHeight);
    // At once, so that the cell is there to be named as active.
    setScrollTop(current!.scrollTop);
  };

  return (
    <div
      ref={grid}
      class={`grid ${watch.isLive ? "" : "stale"} ${watch.isPending ? "pending" : ""}`}
      role="grid"
      aria-label="Users"
      aria-rowcount={rows.length + 1}
      aria-colcount={COLUMNS.length}
      aria-busy={watch.isPending}
      aria-activedescendant={isActiveShown ? cellId(activeIndex, active!.column) : undefined}
      tabIndex={0}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <TableHead sort={sort} onChange={onChange} />
      <div role="rowgroup" class="grid-body" style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(first, end).map((row, offset) => (
          <TableRow
            key={row.userId}
            row={row}
            index={first + offset}
            top={(first + offset) * rowHeight}
            isSelected={row.userId === selected}
            activeColumn={first + offset === activeIndex ? active!.column : undefined}
            {...actions}
          />
        ))}
      </div>
    </div>
  );
}
