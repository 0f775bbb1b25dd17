/** `npm run test:crash -- [--rounds 20] [--seed N]`: kill -9 under load, again and again, on one data directory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { crashRounds } from "./rounds.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, seed: { type: "string" } },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const dataDir = mkdtempSync(join(tmpdir(), "posthorn-crash-"));
process.stdout.write(`seed ${seed}, ${values.rounds} rounds\n`);
const failures = await crashRounds({
  dataDir,
  seed,
  rounds: Number(values.rounds),
  onRound: (round, result, redriving) => {
    const { published, confirmed, acked, recovered, dead, delayed, parked } = result;
    const problems = [...result.problems, ...redriving.problems];
    const verdict = problems.length === 0 ? "ok" : `FAILED\n  ${problems.join("\n  ")}`;
    process.stdout.write(
      `round ${round}: ${published} published, ${confirmed} confirmed, ${acked} acks on disk, ${recovered} recovered: ${dead} had died, ${delayed} delayed, ${parked} parked; ${redriving.moved} of ${redriving.messages} redriven: ${verdict}\n`,
    );
  },
});
rmSync(dataDir, { recursive: true, force: true });
process.stdout.write(`${Number(values.rounds) - failures} passed, ${failures} failed\n`);
process.exitCode = failures === 0 ? 0 : 1;
