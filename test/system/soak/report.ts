import { escapeMarkup } from "../../../bench/report/markup.ts";
import { renderLineChart } from "./line-chart.ts";
import { linearFit } from "./linear-fit.ts";
import type { Sample } from "./sample.ts";
import type { SoakResult } from "./soak.ts";

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; background: #fff; }
svg { max-width: 100%; height: auto; margin: .6rem 0; }
code { background: #f2f4f7; padding: .1rem .3rem; overflow-wrap: anywhere; }
.failed { color: #b3401f; font-weight: 600; }
`;

const ours = "#b3401f";
const second = "#3f6fa8";
const third = "#8fa3b8";
const mebibyte = 2 ** 20;

export interface ReportFacts {
  readonly date: string;
  readonly commandLine: string;
  readonly machine: string;
  readonly load: string;
}

/** A soak as one HTML file that needs nothing else. */
export function renderReport(result: SoakResult, { date, commandLine, machine, load }: ReportFacts): string {
  const { samples, disturbances, facts, problems } = result;
  const over = (value: (sample: Sample) => number) =>
    samples.map((sample) => [sample.seconds / 60, value(sample)] as const);
  const marks = disturbances.map(({ seconds, what }) => ({
    x: seconds / 60,
    color: what === "kill" ? ours : third,
  }));
  const half = samples.slice(Math.floor(samples.length / 2));
  const from = half[0]!.seconds / 60;
  const fitted = (value: (sample: Sample) => number) => {
    const { start, rise } = linearFit(half.map((sample) => [sample.seconds / 60, value(sample)]));
    return [
      [from, start],
      [half.at(-1)!.seconds / 60, start + rise],
    ] as const;
  };
  const memory = (sample: Sample) => sample.memoryBytes / mebibyte;
  const file = (sample: Sample) => sample.fileBytes / mebibyte;
  const charts = [
    renderLineChart({
      title: "Memory of the broker",
      unit: "MiB",
      marks,
      from,
      lines: [
        {
          label: "RSS with LMDB's map",
          color: third,
          points: over(({ residentBytes }) => residentBytes / mebibyte),
        },
        { label: "anonymous", color: ours, points: over(memory) },
        { label: "V8 heap", color: second, points: over(({ heapBytes }) => heapBytes / mebibyte) },
        { label: "line through the second half", color: "#1c2430", points: fitted(memory) },
      ],
    }),
    renderLineChart({
      title: "Data directory",
      unit: "MiB",
      marks,
      from,
      lines: [
        { label: "file size", color: ours, points: over(file) },
        { label: "line through the second half", color: "#1c2430", points: fitted(file) },
      ],
    }),
    renderLineChart({
      title: "What the broker holds",
      unit: "count",
      marks,
      lines: [
        { label: "sessions", color: ours, points: over(({ sessions }) => sessions) },
        { label: "open files", color: third, points: over(({ openFiles }) => openFiles) },
        { label: "consumers", color: second, points: over(({ consumers }) => consumers) },
        { label: "queues", color: "#1c2430", points: over(({ queues }) => queues) },
      ],
    }),
    renderLineChart({
      title: "Longest turn of the event loop in each second",
      unit: "ms",
      marks,
      lines: [{ label: "longest turn", color: ours, points: over(({ longestTurnMs }) => longestTurnMs) }],
    }),
  ];
  const verdict =
    problems.length === 0
      ? "<p>All bounds hold.</p>"
      : `<p class="failed">${problems.map(escapeMarkup).join("<br>")}</p>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Posthorn: soak of ${escapeMarkup(date)}</title>
<style>${style}</style>
<h1>Posthorn: soak</h1>
<p>${escapeMarkup(`${date}, ${machine}. ${load}`)}</p>
<p><code>${escapeMarkup(commandLine)}</code></p>
${verdict}
<ul>${facts.map((fact) => `<li>${escapeMarkup(fact)}`).join("")}</ul>
<p>Marks below the charts: a process of clients killed (red), a connection cut (grey). The second half, which counts, is shaded; x is minutes.</p>
${charts.join("\n")}
</html>
`;
}
