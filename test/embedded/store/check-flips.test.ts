import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { writeSample } from "./sample-store.ts";

const childPath = fileURLToPath(new URL("./flipping-child.ts", import.meta.url));
const flips = 200;

interface Line {
  readonly i: number;
  readonly offset: number;
  readonly step: "check" | "repair" | "done";
  readonly outcome?: string;
}

test("a flipped byte anywhere in the file is found, or changes nothing that is stored", async () => {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-flips-"));
  const scratch = join(directory, "scratch");
  const store = join(directory, "store");
  mkdirSync(scratch);
  const seed = String(Date.now() % 1_000_000);
  const outcomes = new Map<string, number>();
  const note = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  try {
    await writeSample(store);
    for (let from = 0; from < flips; ) {
      const args = ["--import", "tsx", childPath, store, scratch, seed, String(from), String(flips)];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
      const [[code, signal], out] = await Promise.all([
        once(child, "exit") as Promise<[number | null, string | null]>,
        text(child.stdout),
      ]);
      const lines = out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Line);
      for (const { outcome } of lines) if (outcome !== undefined) note(outcome);
      if (code === 0) break;
      // LMDB was led astray and took its process with it, as posthorn check would report. JavaScript may not fail.
      const last = lines.at(-1)!;
      expect({ seed, last, isCrash: signal !== null && last.step !== "done" }).toMatchObject({
        isCrash: true,
      });
      note(`crash in ${last.step}`);
      from = last.i + 1;
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  expect(outcomes.get("missed"), `seed ${seed}`).toBeUndefined();
  expect(outcomes.get("repaired"), `seed ${seed}: ${JSON.stringify([...outcomes])}`).toBeGreaterThan(
    flips / 4,
  );
  expect(outcomes.get("unaffected")).toBeGreaterThan(0);
}, 120_000);
