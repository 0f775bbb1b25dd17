import { describe, expect, test } from "vitest";
import { progressBar } from "../../bench/progress.ts";
import { renderHtml } from "../../bench/report/html.ts";
import { renderMarkdown } from "../../bench/report/markdown.ts";
import type { Results } from "../../bench/report/results.ts";
import { rowsOf } from "../../bench/report/rows.ts";
import { latencyMetrics, messagesPerSecond } from "../../bench/workloads/workload.ts";

const results: Results = {
  environment: {
    date: "2026-11-21",
    commit: "abc1234",
    node: "20.20.2",
    machine: "2 × CPU, 24 GiB",
    commandLine: "npm run bench -- --peer amqp://127.0.0.1",
    rounds: 3,
    scale: 1,
  },
  targets: ["Posthorn", "Rabbit <1>", "Redis"],
  workloads: [
    {
      name: "confirm-100B",
      summary: "One producer & nobody else.",
      metrics: [messagesPerSecond],
      targets: [
        {
          label: "Posthorn",
          outcome: {
            kind: "measured",
            samples: [
              { values: { rate: 200_000 }, brokerCpu: 4, clientCpu: 3 },
              { values: { rate: 100_000 }, brokerCpu: 6, clientCpu: 3 },
              { values: { rate: 210_000 }, brokerCpu: 5, clientCpu: 3 },
            ],
          },
        },
        {
          label: "Rabbit <1>",
          outcome: {
            kind: "measured",
            samples: [
              { values: { rate: 25_000 } },
              { values: { rate: 12_500 } },
              { values: { rate: 30_000 } },
            ],
          },
        },
        { label: "Redis", outcome: { kind: "failed", reason: "not | done" } },
      ],
    },
    {
      name: "latency",
      summary: "A thousand a second.",
      metrics: latencyMetrics,
      targets: [
        {
          label: "Posthorn",
          outcome: { kind: "measured", samples: [{ values: { p50: 0.2, p99: 1, p999: 2 } }] },
        },
        {
          label: "Rabbit <1>",
          outcome: { kind: "measured", samples: [{ values: { p50: 0.4, p99: 2 } }] },
        },
        { label: "Redis", outcome: { kind: "unsupported" } },
      ],
    },
  ],
};

describe("a report of the benchmark", () => {
  test("has a row for each broker and metric, with Posthorn's ratio to each of the others", () => {
    const [ours, theirs, failed] = rowsOf(results.workloads[0]!);
    expect(ours).toMatchObject({
      summary: { median: 200_000, minimum: 100_000, maximum: 210_000 },
      brokerCpu: 5,
      ratio: undefined,
    });
    expect(theirs).toMatchObject({ label: "Rabbit <1>", ratio: 8, brokerCpu: undefined });
    expect(failed).toMatchObject({ summary: undefined, remark: "failed: not | done" });
  });

  test("as Markdown is one table a workload", () => {
    const text = renderMarkdown(results);
    expect(text).toContain("2026-11-21, commit abc1234, Node 20.20.2, 2 × CPU, 24 GiB, 3 rounds, scale 1.");
    expect(text).toContain("| msg/s | Posthorn | 200,000 | 100,000 – 210,000 | 5.00 | 3.00 |  |");
    expect(text).toContain("| msg/s | Rabbit <1> | 25,000 | 12,500 – 30,000 |  |  | 8.00× |");
    expect(text).toContain("| p50 ms (lower is better) | Rabbit <1> | 0.40 | 0.40 – 0.40 |  |  | 0.50× |");
  });

  test("says what was not measured, and why, without breaking the table", () => {
    const text = renderMarkdown(results);
    expect(text).toContain("| msg/s | Redis | failed: not \\| done |  |  |  |  |");
    expect(text).toContain("| p99 ms (lower is better) | Redis | – |  |  |  |  |");
    expect(text).toContain("| p99.9 ms (lower is better) | Rabbit <1> | – |  |  |  |  |");
  });

  test("as HTML is one file that loads nothing and shows text as text", () => {
    const html = renderHtml(results);
    expect(html).not.toMatch(/<script|<link|src=|url\(|https?:/);
    expect(html).toContain("Rabbit &lt;1&gt;");
    expect(html).not.toContain("Rabbit <1>");
    expect(html).toContain("One producer &amp; nobody else.");
  });

  test("as HTML has a chart for each metric, whose bars are as long as the medians", () => {
    const html = renderHtml(results);
    expect(html.match(/<svg/g)).toHaveLength(4);
    const widths = [...html.split("</svg>")[0]!.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect(widths).toHaveLength(2);
    expect(widths[0]! / widths[1]!).toBeCloseTo(8, 1);
  });
});

describe("the progress bar", () => {
  test("fills from nothing to everything", () => {
    expect(progressBar(0, 10)).toBe(`${"░".repeat(24)} 0 %`);
    expect(progressBar(5, 10)).toBe(`${"█".repeat(12)}${"░".repeat(12)} 50 %`);
    expect(progressBar(10, 10)).toBe(`${"█".repeat(24)} 100 %`);
  });
});
