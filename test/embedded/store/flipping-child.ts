/**
 * Flips one byte in copies of a store's file, at places that follow from the seed, checks each copy and repairs what is found.
 * Prints a line before each copy and one with what came of it: a damaged page may end this process.
 *
 *     node --import tsx flipping-child.ts DIRECTORY SCRATCH SEED FROM TO
 */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkFile, repairFile } from "../../../server/embedded/store/lmdb/check/check-tasks.ts";
import { Environment, tableNames } from "../../../server/embedded/store/lmdb/environment.ts";

const [directory, scratch, seed, from, to] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];

/** Of every row of every table. */
async function digest(path: string): Promise<string> {
  const environment = new Environment(path, { readOnly: true });
  const hash = createHash("sha256");
  for (const table of tableNames) {
    for (const { key, value } of environment.rows(table, Buffer.from([0]), 1_000_000))
      hash.update(key).update(value);
    environment.endRead();
  }
  hash.update(JSON.stringify(environment.head()));
  await environment.close();
  return hash.digest("hex");
}

const original = await digest(join(directory, "store.mdb"));
for (let i = Number(from); i < Number(to); i++) {
  const copy = join(scratch, String(i));
  mkdirSync(copy);
  cpSync(join(directory, "store.json"), join(copy, "store.json"));
  const file = readFileSync(join(directory, "store.mdb"));
  const random = createHash("sha256").update(`${seed} ${i}`).digest();
  const offset = random.readUInt32LE(0) % file.length;
  file[offset]! ^= 1 + (random[4]! % 255);
  const path = join(copy, "store.mdb");
  writeFileSync(path, file);
  process.stdout.write(`${JSON.stringify({ i, offset, step: "check" })}\n`);
  const { report } = await checkFile(path, { windowMessages: 60 });
  let outcome: string = report.sound && (await digest(path)) === original ? "unaffected" : "missed";
  let why = "";
  if (!report.sound) {
    outcome = "found";
    process.stdout.write(`${JSON.stringify({ i, offset, step: "repair" })}\n`);
    try {
      const repaired = await repairFile(copy, { windowMessages: 60 });
      if (repaired.type === "repaired" && repaired.report.after.sound) outcome = "repaired";
    } catch (error) {
      why = (error as Error).message;
    }
  }
  process.stdout.write(`${JSON.stringify({ i, offset, step: "done", outcome, why })}\n`);
  rmSync(copy, { recursive: true });
}
