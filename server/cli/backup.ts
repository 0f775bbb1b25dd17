import type { BackupReport } from "../embedded/store/lmdb/backup.ts";
import { formatBytes, plural } from "./amounts.ts";
import type { CliIo } from "./cli-io.ts";
import { CommandFailure } from "./command-failure.ts";
import { ProgressLine } from "./progress-line.ts";

export interface BackupRequest {
  readonly directory: string;
  readonly target: string;
  readonly verify: boolean;
}

/** A snapshot that is held longer lets a busy broker's file grow, as freed pages are not used again meanwhile. */
const longSnapshotMs = 5_000;

/** `posthorn backup`. Returns the exit code. */
export async function runBackup({ directory, target, verify }: BackupRequest, io: CliIo): Promise<number> {
  const progress = new ProgressLine(io.stderr);
  try {
    const report = await io.backupStore(directory, target, {
      verify,
      onProgress: (step) => progress.show(step),
    });
    progress.clear();
    io.stdout.write(describe(report, target));
    if (report.snapshotHeldMs > longSnapshotMs) {
      io.stderr.write("The snapshot was held for long. On a busy broker, back up to a faster disk.\n");
    }
    return 0;
  } catch (error) {
    progress.clear();
    if (!(error instanceof CommandFailure)) throw error;
    io.stderr.write(`${error.message}\n`);
    return 1;
  }
}

function describe({ bytes, snapshotHeldMs, report }: BackupReport, target: string): string {
  const messages = report?.queues.reduce((sum, queue) => sum + queue.messages, 0) ?? 0;
  const found = report === undefined ? "not checked" : `checked: sound, ${plural(messages, "message")}`;
  return `${target}: ${formatBytes(bytes)}, ${found}. A snapshot was held for ${Math.ceil(snapshotHeldMs)} ms.\n`;
}
