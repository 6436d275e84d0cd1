import { cut, displayWidth, pad, visible } from "./terminal-text.ts";

const GAP = "  ";
const NARROWEST = 4;

/**
 * Lines of a table. Columns are as wide as their cells, or narrower to fit into `width`. Cells may contain
 * any text.
 */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  maxWidth = Number.POSITIVE_INFINITY,
): string[] {
  const lines = [header, ...rows].map((cells) => cells.map(visible));
  const widths = header.map((_, column) =>
    lines.reduce((most, cells) => Math.max(most, displayWidth(cells[column]!)), 0),
  );
  shrink(widths, maxWidth - GAP.length * (header.length - 1));
  return lines.map((cells) => {
    const padded = cells.map((cell, column) => pad(cut(cell, widths[column]!), widths[column]!));
    return cut(padded.join(GAP).trimEnd(), maxWidth);
  });
}

/** Reduces the widest columns step by step until all fit or nothing is left to reduce. */
function shrink(widths: number[], space: number): void {
  let excess = widths.reduce((sum, width) => sum + width, 0) - space;
  for (; excess > 0; excess--) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= NARROWEST) return;
    widths[widest]!--;
  }
}
