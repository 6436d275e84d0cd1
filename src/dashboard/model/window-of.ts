/** Rows around those on screen, so that a quick turn of the wheel meets no gap. */
const OVERSCAN = 8;

export interface Window {
  readonly first: number;
  /** One after the last. */
  readonly end: number;
}

/** Which of `count` rows of one height to render, with so much on screen. */
export function windowOf(scrollTop: number, height: number, rowHeight: number, count: number): Window {
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight) - OVERSCAN;
  const end = Math.ceil((Math.max(0, scrollTop) + height) / rowHeight) + OVERSCAN;
  return { first: Math.max(0, Math.min(first, count)), end: Math.max(0, Math.min(end, count)) };
}

/** Where to scroll so that a row is wholly on screen, under a header that covers some of it; as little as possible. */
export function scrollTopFor(index: number, scrollTop: number, height: number, rowHeight: number): number {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + height) return top + rowHeight - height;
  return scrollTop;
}
