import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startBrokerProcess } from "../../support/broker-process.ts";
import { load } from "./load.ts";
import { Opener } from "./opener.ts";
import { type Fate, fates, Recording } from "./power-cut.ts";
import { seeded } from "./seeded.ts";
import { startTracedBroker, storeFileOf } from "./traced-broker.ts";

export interface PowerCutOptions {
  /** An empty directory of its own. */
  readonly directory: string;
  readonly seed: number;
  /** How often the power is cut. */
  readonly points: number;
  /** Messages to record. */
  readonly messages: number;
  /** Record from the file's first byte on. Otherwise the store has been made, filled a little and stopped before. */
  readonly withCreation?: boolean;
  readonly onPoint?: (point: number, result: PointResult) => void;
}

export interface PointResult {
  /** Before which moment of how many. */
  readonly at: number;
  readonly of: number;
  readonly fate: Fate;
  /** Writes under way or not synced. */
  readonly unsynced: number;
  readonly confirmed: number;
  readonly recovered: number;
  /** Sentences; none if all is well. */
  readonly problems: readonly string[];
}

export interface PowerCutResult {
  /** What the replay of everything and the file differ in. */
  readonly selfCheck: string | undefined;
  readonly fileBytes: number;
  readonly points: readonly PointResult[];
}

/** Records what a broker under load does to its file, and opens what the disk may hold after a power cut, many times. */
export async function powerCutRounds(options: PowerCutOptions): Promise<PowerCutResult> {
  const { directory, seed, messages, withCreation = false, onPoint } = options;
  const random = seeded(seed);
  const dataDir = join(directory, "data");
  const traceFile = join(directory, "trace");
  const storeFile = storeFileOf(dataDir);
  if (!withCreation) await makeStore(dataDir, random);
  const before = withCreation ? undefined : readFileSync(storeFile);
  const broker = await startTracedBroker({ dataDir, traceFile });
  const { confirmed } = await load({ url: broker.url, random, maxBytes: 100_000, messages });
  const { exitCode } = await broker.stop();
  if (exitCode !== 0) throw new Error(`The broker ended with ${exitCode}: ${broker.stderr()}`);
  if (confirmed === 0) throw new Error("Nothing was confirmed.");

  const recording = await Recording.read(traceFile, storeFile, before);
  const selfCheck = recording.differsFrom(storeFile);
  const points: PointResult[] = [];
  const opener = new Opener();
  try {
    for (let point = 0; point < options.points; point++) {
      const at = Math.floor(random() * (recording.length + 1));
      const fate = fates[point % fates.length]!;
      const result = await cutAndOpen(recording, at, fate, random, join(directory, `cut-${point}`), opener);
      points.push(result);
      onPoint?.(point, result);
    }
  } finally {
    await opener.close();
  }
  return { selfCheck, fileBytes: recording.replay().length, points };
}

async function makeStore(dataDir: string, random: () => number): Promise<void> {
  const broker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0"]);
  await load({ url: broker.url, random, maxBytes: 100_000, messages: 200, numbersFrom: 1_000_000 });
  await broker.stop();
}

async function cutAndOpen(
  recording: Recording,
  at: number,
  fate: Fate,
  random: () => number,
  directory: string,
  opener: Opener,
): Promise<PointResult> {
  const { file, confirmed, unsynced } = recording.cut(at, fate, random);
  mkdirSync(directory);
  // Written and synced before LMDB's file is made.
  writeFileSync(join(directory, "store.json"), `${JSON.stringify({ store: "posthorn", format: 1 })}\n`);
  writeFileSync(storeFileOf(directory), file);
  const opened = await opener.open(directory);
  const problems: string[] = [];
  const marks = "marks" in opened ? opened.marks : [];
  if ("problem" in opened) problems.push(opened.problem);
  else {
    const found = new Set(marks);
    if (found.size < marks.length) problems.push("A message is there twice.");
    const lost = [...confirmed].filter((mark) => !found.has(mark));
    if (lost.length > 0) problems.push(`${lost.length} confirmed and lost: ${lost.slice(0, 5).join(", ")}`);
  }
  if (problems.length === 0) rmSync(directory, { recursive: true });
  const of = recording.length;
  return { at, of, fate, unsynced, confirmed: confirmed.size, recovered: marks.length, problems };
}
