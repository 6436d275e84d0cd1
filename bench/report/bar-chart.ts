import { format, type Spread } from "../measure/statistics.ts";

export interface Bar {
  readonly label: string;
  readonly value: Spread;
  readonly kind: "gateway" | "baseline" | "other";
  /** The target, in the unit of the value. */
  readonly target?: number;
}

const WIDTH = 860;
const MARGIN = 16;
const LABELS = 320;
const VALUES = 80;
const HEADER = 48;
const ROW = 30;
const BAR = 16;

/** Has its own background, so the chart is readable on light and dark pages. */
const STYLE = `
  .ground { fill: #ffffff; stroke: #d0d7de }
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .gateway { fill: #2f6fdb } .baseline { fill: #a3acb6 } .other { fill: #c9822b }
  .range { stroke: #1f2328; stroke-width: 1.5 }
  .target { stroke: #1a7f37; stroke-width: 2; stroke-dasharray: 4 3 }
  .key { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .gateway { fill: #4c8dff } .baseline { fill: #6e7681 } .other { fill: #d29a4a }
    .range { stroke: #f0f6fc }
    .target { stroke: #3fb950 }
    .key { fill: #3fb950 }
  }
`;

/**
 * A self-contained SVG with a bar for each median, the range of the rounds, and the targets.
 * @param longest End of the scale. Longer bars are cut off.
 */
export function barChart(title: string, bars: readonly Bar[], longest = longestOf(bars)): string {
  const height = HEADER + bars.length * ROW + MARGIN;
  const room = WIDTH - LABELS - VALUES - 2 * MARGIN;
  const x = (value: number) => round(LABELS + MARGIN + Math.min(1, longest > 0 ? value / longest : 0) * room);
  const hasTarget = bars.some(({ target }) => target !== undefined);
  const key = `<text class="small key" x="${WIDTH - MARGIN}" y="26" text-anchor="end">┆ target</text>\n`;
  const rows = bars.map(({ label, value, kind, target }, i) => {
    const top = HEADER + i * ROW;
    const middle = top + BAR / 2;
    return [
      `<text x="${LABELS + MARGIN - 10}" y="${middle + 4}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect class="${kind}" x="${x(0)}" y="${top}" width="${round(x(value.median) - x(0))}" ` +
        `height="${BAR}" rx="2"/>`,
      `<line class="range" x1="${x(value.min)}" x2="${x(value.max)}" y1="${middle}" y2="${middle}"/>`,
      ...(target === undefined
        ? []
        : [
            `<line class="target" x1="${x(target)}" x2="${x(target)}" ` +
              `y1="${top - 5}" y2="${top + BAR + 5}"/>`,
          ]),
      `<text x="${WIDTH - MARGIN}" y="${middle + 4}" text-anchor="end">${format(value.median)}</text>`,
    ].join("\n");
  });
  const size = `viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`;
  const label = escapeXml(title);
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${label}">
<style>${STYLE}</style>
<rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="6"/>
<text class="title" x="${MARGIN}" y="26">${escapeXml(title)}</text>
${hasTarget ? key : ""}${rows.join("\n")}
</svg>
`;
}

/** A single outlier must not shorten all bars. */
function longestOf(bars: readonly Bar[]): number {
  return Math.max(...bars.map(({ value, target = 0 }) => Math.max(1.3 * value.median, target)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
