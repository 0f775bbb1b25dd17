import { linearFit } from "./linear-fit.ts";
import type { Sample } from "./sample.ts";

/** What counts as flat: over the second half, a straight line through the samples rises by no more than this share … */
const maxRise = 0.1;
/** … or by this much, as a garbage collection earlier or later makes a difference. */
const spareMemoryBytes = 16 * 2 ** 20;
const spareFileBytes = 32 * 2 ** 20;
/** Sockets of a process of clients that has just started: they are open before their sessions. */
const comingSockets = 64;
/** Sockets that the system closes a moment later, and what the store or the log opens for a moment. */
const spareOpenFiles = 8;

export interface Verdict {
  /** What was found, in words. */
  readonly facts: readonly string[];
  /** Which bounds do not hold. */
  readonly problems: readonly string[];
}

/**
 * Judges a soak by its samples: memory and file are flat in the second half, when the first is warm-up.
 * @param idle Before the first client came.
 * @param end After the last has gone.
 * @param durableQueues Those that are to be left.
 */
export function judge(samples: readonly Sample[], idle: Sample, end: Sample, durableQueues: number): Verdict {
  const facts: string[] = [];
  const problems: string[] = [];
  const flat = (what: string, key: "memoryBytes" | "fileBytes", spareBytes: number) => {
    const half = samples.slice(Math.floor(samples.length / 2));
    const { start, rise } = linearFit(half.map((sample) => [sample.seconds, sample[key]]));
    const hours = (half.at(-1)!.seconds - half[0]!.seconds) / 3600;
    facts.push(
      `${what} ${mebibytes(start)}, ${signed(rise)} MiB in the second half (${signed(rise / hours)} MiB/h)`,
    );
    if (rise > Math.max(maxRise * start, spareBytes))
      problems.push(`${what} grew by ${mebibytes(rise)} in the second half`);
  };
  flat("memory", "memoryBytes", spareMemoryBytes);
  flat("file", "fileBytes", spareFileBytes);

  for (const sample of samples)
    if (sample.openFiles > idle.openFiles + sample.sessions + comingSockets) {
      problems.push(`${sample.openFiles} files were open with ${sample.sessions} sessions`);
      break;
    }
  facts.push(`in the end ${end.sessions} sessions, ${end.consumers} consumers, ${end.queues} queues`);
  facts.push(`${end.openFiles} open files, ${idle.openFiles} at the beginning`);
  if (end.sessions > 0) problems.push(`${end.sessions} sessions are left`);
  if (end.consumers > 0) problems.push(`${end.consumers} consumers are left`);
  if (end.queues !== durableQueues)
    problems.push(`${end.queues} queues are left instead of ${durableQueues}`);
  const exchanges = idle.exchanges + 1;
  if (end.exchanges !== exchanges)
    problems.push(`${end.exchanges} exchanges are left instead of ${exchanges}`);
  if (end.openFiles > idle.openFiles + spareOpenFiles)
    problems.push(`${end.openFiles} files are left open instead of ${idle.openFiles}`);
  return { facts, problems };
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function signed(bytes: number): string {
  return `${bytes < 0 ? "−" : "+"}${Math.abs(bytes / 2 ** 20).toFixed(1)}`;
}
