import { escapeMarkup } from "../../../bench/report/markup.ts";

export interface ChartLine {
  readonly label: string;
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly title: string;
  /** Of the numbers at the side. */
  readonly unit: string;
  readonly lines: readonly ChartLine[];
  /** Moments at which something happened, to be marked at the bottom. */
  readonly marks?: readonly { readonly x: number; readonly color: string }[];
  /** At this x begins what counts. */
  readonly from?: number;
}

const width = 900;
const height = 256;
const left = 64;
const right = 16;
const top = 30;
const bottom = 44;
const gridLines = 4;

/** Lines over time, from 0 up, as SVG. */
export function renderLineChart({ title, unit, lines, marks = [], from }: LineChart): string {
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x));
  const ys = lines.flatMap(({ points }) => points.map(([, y]) => y));
  const [minX, maxX] = [Math.min(...xs), Math.max(...xs)];
  const maxY = niceCeiling(Math.max(...ys, 1e-9));
  const atX = (x: number) => left + ((x - minX) / Math.max(maxX - minX, 1e-9)) * (width - left - right);
  const atY = (y: number) => height - bottom - (y / maxY) * (height - top - bottom);
  const grid = Array.from({ length: gridLines + 1 }, (_, index) => {
    const y = (maxY * index) / gridLines;
    return (
      `<path d="M${left} ${atY(y).toFixed(1)}H${width - right}" stroke="#e3e7ec"/>` +
      `<text x="${left - 8}" y="${(atY(y) + 4).toFixed(1)}" text-anchor="end">${formatAxis(y)}</text>`
    );
  });
  const scale = Array.from({ length: gridLines + 1 }, (_, index) => {
    const x = minX + ((maxX - minX) * index) / gridLines;
    return `<text x="${atX(x).toFixed(1)}" y="${height - bottom + 18}" text-anchor="middle">${formatAxis(x)}</text>`;
  });
  const shade =
    from === undefined
      ? ""
      : `<rect x="${atX(from).toFixed(1)}" y="${top}" width="${(width - right - atX(from)).toFixed(1)}" height="${height - top - bottom}" fill="#f5f7fa"/>`;
  const drawn = lines.map(({ color, points }) => {
    const path = points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${atX(x).toFixed(1)} ${atY(y).toFixed(1)}`);
    return `<path d="${path.join("")}" fill="none" stroke="${color}" stroke-width="1.5"/>`;
  });
  const ticks = marks.map(
    ({ x, color }) => `<path d="M${atX(x).toFixed(1)} ${height - bottom}v5" stroke="${color}"/>`,
  );
  let legendX = left;
  const legend = lines.map(({ label, color }) => {
    const text = `<path d="M${legendX} ${height - 6}h16" stroke="${color}" stroke-width="3"/><text x="${legendX + 20}" y="${height - 2}">${escapeMarkup(label)}</text>`;
    legendX += 40 + 8 * label.length;
    return text;
  });
  const heading = escapeMarkup(`${title}, ${unit}`);
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-size="13" font-family="system-ui, sans-serif"><title>${heading}</title><text x="${left}" y="18" font-weight="600">${heading}</text>${shade}${grid.join("")}${scale.join("")}${drawn.join("")}${ticks.join("")}${legend.join("")}</svg>`;
}

/** The next of 1, 2, 5, 10, 20, … that is not below. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((nice) => nice >= value) ?? 10 * power;
}

function formatAxis(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}
