import type { Metric } from "../workloads/workload.ts";
import { escapeMarkup } from "./markup.ts";
import { formatNumber, type Row } from "./rows.ts";

const labelWidth = 220;
const barWidth = 480;
const figureWidth = 110;
const rowHeight = 24;
const titleHeight = 26;
const ours = "#b3401f";
const theirs = "#8fa3b8";

/** A bar chart of one metric as SVG, the first row in Posthorn's color; empty if nothing was measured. */
export function renderBars(metric: Metric, rows: readonly Row[]): string {
  const bars = rows.flatMap(({ metric: { key }, label, summary }) =>
    key === metric.key && summary !== undefined ? [{ label, ...summary }] : [],
  );
  // A memory that shrank has no bar.
  const largest = Math.max(...bars.map(({ maximum }) => maximum));
  if (bars.length === 0 || largest <= 0) return "";
  const scale = (value: number) => labelWidth + (Math.max(0, value) / largest) * barWidth;
  const width = labelWidth + barWidth + figureWidth;
  const height = titleHeight + bars.length * rowHeight;
  const title = `${metric.title}${metric.better === "lower" ? ", lower is better" : ""}`;
  const drawn = bars.map(({ label, median, minimum, maximum }, index) => {
    const top = titleHeight + index * rowHeight;
    const middle = top + rowHeight / 2;
    return [
      `<text x="${labelWidth - 8}" y="${middle + 4}" text-anchor="end">${escapeMarkup(label)}</text>`,
      `<rect x="${labelWidth}" y="${top + 4}" width="${(scale(median) - labelWidth).toFixed(1)}" height="${rowHeight - 8}" fill="${index === 0 ? ours : theirs}"/>`,
      `<path d="M${scale(minimum).toFixed(1)} ${middle}H${scale(maximum).toFixed(1)}" stroke="#1c2430"/>`,
      `<text x="${(scale(maximum) + 6).toFixed(1)}" y="${middle + 4}">${formatNumber(median, metric.digits)}</text>`,
    ].join("");
  });
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-size="13" font-family="system-ui, sans-serif"><title>${escapeMarkup(title)}</title><text x="${labelWidth}" y="16" font-weight="600">${escapeMarkup(title)}</text>${drawn.join("")}</svg>`;
}
