import type { Results, WorkloadResults } from "./results.ts";
import { formatNumber, formatRatio, type Row, rowsOf } from "./rows.ts";

/** The results as Markdown, one table a workload. */
export function renderMarkdown({ environment, workloads }: Results): string {
  const { date, commit, node, machine, commandLine, rounds, scale } = environment;
  const about = [
    `${date}, commit ${commit}, Node ${node}, ${machine}, ${rounds} rounds, scale ${scale}.`,
    "",
    `    ${commandLine}`,
    "",
    "Medians; CPU is seconds per million messages or deliveries; the ratio is Posthorn's figure divided by the row's, the median over the rounds.",
  ];
  return `${[about.join("\n"), ...workloads.map(renderWorkload)].join("\n\n")}\n`;
}

function renderWorkload(workload: WorkloadResults): string {
  const lines = [
    `### ${workload.name}`,
    "",
    workload.summary,
    "",
    "| metric | broker | median | min – max | broker CPU | clients CPU | Posthorn ÷ this |",
    "|---|---|---:|---:|---:|---:|---:|",
    ...rowsOf(workload).map(renderRow),
  ];
  return lines.join("\n");
}

function renderRow({ metric, label, summary, remark, brokerCpu, clientCpu, ratio }: Row): string {
  const title = metric.better === "lower" ? `${metric.title} (lower is better)` : metric.title;
  const figures =
    summary === undefined
      ? [remark.replaceAll("|", "\\|").replaceAll("\n", " "), ""]
      : [
          formatNumber(summary.median, metric.digits),
          `${formatNumber(summary.minimum, metric.digits)} – ${formatNumber(summary.maximum, metric.digits)}`,
        ];
  const cpu = [brokerCpu, clientCpu].map((value) => (value === undefined ? "" : formatNumber(value, 2)));
  return `| ${[title, label, ...figures, ...cpu, formatRatio(ratio)].join(" | ")} |`;
}
