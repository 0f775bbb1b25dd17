import { describe, expect, test } from "vitest";
import { withTemporaryDirectory } from "./faults/temporary-directory.ts";
import { judge } from "./soak/judge.ts";
import { linearFit } from "./soak/linear-fit.ts";
import { renderReport } from "./soak/report.ts";
import type { Sample } from "./soak/sample.ts";
import { soak } from "./soak/soak.ts";

const mebibyte = 2 ** 20;

function sampleAt(seconds: number, other: Partial<Sample> = {}): Sample {
  return {
    seconds,
    memoryBytes: 100 * mebibyte,
    residentBytes: 150 * mebibyte,
    heapBytes: 50 * mebibyte,
    fileBytes: 200 * mebibyte,
    openFiles: 30,
    longestTurnMs: 10,
    sessions: 0,
    exchanges: 7,
    queues: 2,
    consumers: 0,
    ...other,
  };
}

describe("the verdict on a soak", () => {
  const idle = sampleAt(0, { exchanges: 6, queues: 0 });
  const end = sampleAt(1200);
  const course = (at: (seconds: number) => Partial<Sample>) =>
    Array.from({ length: 1200 }, (_, second) => sampleAt(second, at(second)));

  test("is good if memory and file grow at first and are flat then, whatever they do from second to second", () => {
    const samples = course((second) => ({
      memoryBytes: (60 + Math.min(second, 500) / 10 + (second % 30)) * mebibyte,
      fileBytes: Math.min(second, 300) * mebibyte,
    }));
    expect(judge(samples, idle, end, 2).problems).toEqual([]);
  });

  test("names memory and file that grow to the end", () => {
    const leaking = course((second) => ({
      memoryBytes: (100 + second / 20) * mebibyte,
      fileBytes: (200 + second / 10) * mebibyte,
    }));
    expect(judge(leaking, idle, end, 2).problems).toEqual([
      "memory grew by 29.9 MiB in the second half",
      "file grew by 59.9 MiB in the second half",
    ]);
  });

  test("names what is left at the end, and files that are open for nobody", () => {
    const left = sampleAt(1200, { sessions: 1, consumers: 2, queues: 3, exchanges: 8, openFiles: 60 });
    expect(
      judge(
        course(() => ({})),
        idle,
        left,
        2,
      ).problems,
    ).toEqual([
      "1 sessions are left",
      "2 consumers are left",
      "3 queues are left instead of 2",
      "8 exchanges are left instead of 7",
      "60 files are left open instead of 30",
    ]);
    const open = course((second) => ({ sessions: 10, openFiles: 100 + Math.floor(second / 100) }));
    expect(judge(open, idle, end, 2).problems).toEqual(["105 files were open with 10 sessions"]);
  });
});

test("a line through points that lie on one is that line", () => {
  const { start, rise } = linearFit([
    [10, 5],
    [20, 7],
    [40, 11],
  ]);
  expect([start, rise]).toEqual([expect.closeTo(5), expect.closeTo(6)]);
});

test("a short soak leaves nothing behind, and makes a report", { timeout: 120_000 }, async () => {
  const seed = Date.now() % 1_000_000;
  const result = await withTemporaryDirectory((dataDir) =>
    soak({ dataDir, seconds: 12, seed, queues: 6, processes: 2 }),
  );
  // Of these few seconds all is warm-up: memory and file are not judged.
  expect(
    result.problems.filter((problem) => !problem.includes("second half")),
    `seed ${seed}`,
  ).toEqual([]);
  expect(result.totals.confirmed).toBeGreaterThan(100);
  expect(result.disturbances.length).toBeGreaterThan(0);
  const html = renderReport(result, { date: "today", commandLine: "<npm>", machine: "this", load: "some" });
  expect(html).toContain("&lt;npm&gt;");
  expect(html.match(/<svg /g)).toHaveLength(4);
  expect(html).not.toMatch(/NaN|Infinity|undefined|(src|href)=/);
});
