import type { CheckReport, RepairReport } from "../embedded/store/lmdb/check/check-report.ts";
import type { CheckOutcome } from "../embedded/store/lmdb/check/check-tasks.ts";
import { formatBytes, formatCount, plural } from "./amounts.ts";
import type { CliIo } from "./cli-io.ts";
import { CommandFailure } from "./command-failure.ts";
import { ProgressLine } from "./progress-line.ts";

export interface CheckRequest {
  readonly directory: string;
  readonly repair: boolean;
  readonly json: boolean;
}

/** The store was checked and has problems. */
export const problemsExitCode = 3;

/** `posthorn check`. Returns the exit code. */
export async function runCheck({ directory, repair, json }: CheckRequest, io: CliIo): Promise<number> {
  const progress = new ProgressLine(io.stderr);
  let outcome: CheckOutcome;
  try {
    outcome = await io.checkStore(directory, { repair, onProgress: (step) => progress.show(step) });
  } catch (error) {
    progress.clear();
    if (!(error instanceof CommandFailure)) throw error;
    if (json) io.stdout.write(`${JSON.stringify({ error: error.message })}\n`);
    else io.stderr.write(`${error.message}\n`);
    return 1;
  }
  progress.clear();
  if (outcome.type === "repaired") {
    io.stdout.write(
      json ? `${JSON.stringify({ repaired: outcome.report })}\n` : describeRepair(outcome.report),
    );
    return outcome.report.after.sound ? 0 : problemsExitCode;
  }
  const { report } = outcome;
  io.stdout.write(json ? `${JSON.stringify(report)}\n` : describeCheck(report));
  return report.sound ? 0 : problemsExitCode;
}

function describeCheck(report: CheckReport): string {
  const end = report.sound
    ? `The store is sound. ${describeStop(report)}\n`
    : `${describeProblems(report)}\nThe store has ${plural(report.problemCount, "problem")}. posthorn check --repair saves what can be saved.\n`;
  return `${describeContents(report)}\n${end}`;
}

function describeRepair({ before, after, losses, keptAs }: RepairReport): string {
  const lost =
    losses.length === 0
      ? "Nothing was lost.\n"
      : `What could not be saved:\n${losses.map((loss) => `  - ${loss}\n`).join("")}`;
  return `${describeProblems(before)}\n${lost}\nThe store is sound now; as it was it is kept in ${keptAs}.\n\n${describeContents(after)}`;
}

function describeStop({ clean }: CheckReport): string {
  return clean
    ? "The broker was stopped in order."
    : "The broker was not stopped in order; nothing is lost by that.";
}

function describeProblems({ problems, problemCount }: CheckReport): string {
  const more = problemCount - problems.length;
  const lines = problems.map(({ text }) => `  - ${text}\n`).join("");
  return `Problems:\n${lines}${more > 0 ? `  … and ${formatCount(more)} more\n` : ""}`;
}

function describeContents({ tables, queues }: CheckReport): string {
  const tableRows = Object.entries(tables).map(([name, { rows, bytes }]) => [
    name,
    formatCount(rows),
    formatBytes(bytes),
  ]);
  const queueRows = queues.map(({ id, name, messages, bytes, problems }) => [
    name ?? `(queue ${id}, not kept)`,
    formatCount(messages),
    formatBytes(bytes),
    formatCount(problems),
  ]);
  const tableText = columns([["Table", "Rows", "Size"], ...tableRows]);
  if (queueRows.length === 0) return tableText;
  return `${tableText}\n${columns([["Queue", "Messages", "Size", "Problems"], ...queueRows])}`;
}

/** The first column to the left, the others to the right. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  const line = (row: readonly string[]) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join("  ");
  return rows.map((row) => `${line(row)}\n`).join("");
}
