import uPlot from "uplot";

const HEIGHT = 72;

/**
 * Draws a chart into an element, in its text colour. The chart follows the element's width and colour.
 * `marks` are times, in seconds, at which it has a dashed line.
 */
export function makePlot(
  place: HTMLElement,
  marks: () => readonly number[],
  onHover: (index: number | null) => void,
): { plot: uPlot; destroy: () => void } {
  const style = () => getComputedStyle(place);
  const options = plotOptions(place.clientWidth, style, marks, onHover);
  const plot = new uPlot(options, [[], []], place);
  const resize = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT }));
  resize.observe(place);
  return {
    plot,
    destroy() {
      resize.disconnect();
      plot.destroy();
    },
  };
}

/** The settings of a chart. `style` is read at each drawing, because the theme may change. */
export function plotOptions(
  placeWidth: number,
  style: () => Pick<CSSStyleDeclaration, "color" | "fontFamily" | "getPropertyValue">,
  marks: () => readonly number[],
  onHover: (index: number | null) => void,
): uPlot.Options {
  const color = () => style().color;
  const muted = () => style().getPropertyValue("outline-color");
  const font = `11px ${style().fontFamily}`;
  return {
    width: Math.max(120, placeWidth),
    height: HEIGHT,
    padding: [6, 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, Math.max(4, max * 1.2)] } },
    axes: [
      {
        stroke: muted,
        font,
        size: 20,
        gap: 3,
        space: 64,
        incrs: [10, 60, 120, 300],
        grid: { show: false },
        ticks: { show: false },
        values: (_plot, splits) => clockLabels(splits),
      },
      {
        stroke: muted,
        font,
        size: 38,
        gap: 4,
        space: 16,
        incrs: [1, 2, 5]
          .flatMap((step) => [1, 10, 100, 1_000, 10_000, 100_000].map((tens) => step * tens))
          .sort((one, other) => one - other),
        grid: { stroke: muted, width: 0.25 },
        ticks: { show: false },
      },
    ],
    series: [
      {},
      {
        stroke: color,
        width: 1.5,
        fill: () => translucent(color()),
        points: { show: false },
        spanGaps: false,
      },
    ],
    hooks: {
      draw: [(self) => drawMarks(self, marks(), muted())],
      setCursor: [(self) => onHover(self.cursor.idx ?? null)],
    },
  };
}

function drawMarks({ ctx, bbox, valToPos, scales }: uPlot, marks: readonly number[], color: string): void {
  const { min = 0 } = scales.x!;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.setLineDash([4, 4]);
  for (const seconds of marks.filter((mark) => mark >= min!)) {
    const x = Math.round(valToPos(seconds, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** Hours and minutes. While the axis is short, seconds too. */
function clockLabels(seconds: readonly number[]): string[] {
  const dates = seconds.map((each) => new Date(each * 1000));
  const hasSeconds = dates.some((date) => date.getSeconds() !== 0);
  return dates.map((date) => {
    const parts = [date.getHours(), date.getMinutes(), ...(hasSeconds ? [date.getSeconds()] : [])];
    return parts.map((part) => String(part).padStart(2, "0")).join(":");
  });
}

/** Expects a computed colour, which has the form `rgb(r, g, b)`. */
function translucent(color: string): string {
  return color.replace("rgb(", "rgba(").replace(")", ", 0.12)");
}
