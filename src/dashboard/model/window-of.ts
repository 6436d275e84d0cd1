/** Extra rows rendered above and below the screen, so that fast scrolling shows no gap. */
const OVERSCAN = 8;

export interface Window {
  readonly first: number;
  /** Index after the last row. */
  readonly end: number;
}

/** Which of `count` rows of equal height to render at a scroll position. Heights are in pixels. */
export function windowOf(scrollTop: number, height: number, rowHeight: number, count: number): Window {
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight) - OVERSCAN;
  const end = Math.ceil((Math.max(0, scrollTop) + height) / rowHeight) + OVERSCAN;
  return { first: Math.max(0, Math.min(first, count)), end: Math.max(0, Math.min(end, count)) };
}

/**
 * The scroll position nearest to the current one at which a row is fully visible below the table's header.
 */
export function scrollTopFor(index: number, scrollTop: number, height: number, rowHeight: number): number {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + height) return top + rowHeight - height;
  return scrollTop;
}
