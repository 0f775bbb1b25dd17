import { renderBars } from "./bars.ts";
import { escapeMarkup } from "./markup.ts";
import type { Results, WorkloadResults } from "./results.ts";
import { formatNumber, formatRatio, type Row, rowsOf } from "./rows.ts";

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; background: #fff; }
table { border-collapse: collapse; margin: .6rem 0 1rem; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid #e3e7ec; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
code { background: #f2f4f7; padding: .1rem .3rem; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
h2 { margin-top: 2.2rem; }
`;

/** The results as one HTML file that needs nothing else. */
export function renderHtml({ environment, workloads }: Results): string {
  const { date, commit, node, machine, commandLine, rounds, scale } = environment;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Posthorn: benchmark of ${escapeMarkup(date)}</title>
<style>${style}</style>
<h1>Posthorn: benchmark</h1>
<p>${escapeMarkup(`${date}, commit ${commit}, Node ${node}, ${machine}, ${rounds} rounds, scale ${scale}.`)}</p>
<p><code>${escapeMarkup(commandLine)}</code></p>
<p>Bars are medians, the thin lines reach from the worst round to the best.</p>
${workloads.map(renderWorkload).join("\n")}
</html>
`;
}

function renderWorkload(workload: WorkloadResults): string {
  const rows = rowsOf(workload);
  const charts = workload.metrics.map((metric) => renderBars(metric, rows));
  return `<h2>${escapeMarkup(workload.name)}</h2>
<p>${escapeMarkup(workload.summary)}</p>
${charts.join("\n")}
<table>
<tr><th>metric<th>broker<th>median<th>min – max<th>broker CPU s/M<th>clients CPU s/M<th>Posthorn ÷ this</tr>
${rows.map(renderRow).join("\n")}
</table>`;
}

function renderRow({ metric, label, summary, remark, brokerCpu, clientCpu, ratio }: Row): string {
  const cells = [
    metric.title,
    label,
    summary === undefined ? remark : formatNumber(summary.median, metric.digits),
    summary === undefined
      ? ""
      : `${formatNumber(summary.minimum, metric.digits)} – ${formatNumber(summary.maximum, metric.digits)}`,
    brokerCpu === undefined ? "" : formatNumber(brokerCpu, 2),
    clientCpu === undefined ? "" : formatNumber(clientCpu, 2),
    formatRatio(ratio),
  ];
  return `<tr>${cells.map((cell) => `<td>${escapeMarkup(cell)}`).join("")}</tr>`;
}
