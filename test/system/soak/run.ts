/**
 * `npm run test:soak -- [--minutes 20] [--seed N] [--report FILE.html]`: fifty queues under load while clients are killed and
 * cut off; whether memory, file and what the broker holds stay as they are.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mebibytes } from "./judge.ts";
import { renderReport } from "./report.ts";
import { soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "20" },
    seed: { type: "string" },
    report: { type: "string" },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes takes a number above 0.");
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const queues = 50;
const processes = 6;
const sayEverySeconds = 10;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

say(`seed ${seed}, ${minutes} minutes`);
const dataDir = mkdtempSync(join(tmpdir(), "posthorn-soak-"));
let saidAt = 0;
try {
  const result = await soak({
    dataDir,
    seconds: minutes * 60,
    seed,
    queues,
    processes,
    onSample: (sample, { confirmed, acked, requeued, live }) => {
      if (sample.seconds < saidAt + sayEverySeconds) return;
      saidAt = sample.seconds;
      const { sessions, openFiles } = sample;
      say(
        `${sample.seconds.toFixed(0)} s: memory ${mebibytes(sample.memoryBytes)}, file ${mebibytes(sample.fileBytes)}, ${sessions} sessions, ${sample.queues} queues, ${openFiles} files; ${confirmed} confirmed, ${acked} acked, ${requeued} put back, ${live} live`,
      );
    },
  });
  const { totals, disturbances, facts, problems } = result;
  const killed = disturbances.filter(({ what }) => what === "kill").length;
  const load = `${queues} queues, ${queues} producers, ${2 * queues} consumers and ${3 * processes} dashboards in ${processes} processes; ${killed} processes killed, ${disturbances.length - killed} connections cut; ${totals.confirmed} messages confirmed, ${totals.acked} acked, ${totals.requeued} put back, ${totals.live} delivered to dashboards; seed ${seed}.`;
  say(load);
  for (const fact of facts) say(fact);
  if (values.report !== undefined) {
    const html = renderReport(result, {
      date: new Date().toISOString().slice(0, 10),
      commandLine: ["npm run test:soak --", ...process.argv.slice(2)].join(" "),
      machine: `Node ${process.versions.node}, ${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "?"}`,
      load,
    });
    writeFileSync(values.report, html);
    say(`report: ${values.report}`);
  }
  say(problems.length === 0 ? "passed" : `FAILED\n  ${problems.join("\n  ")}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(dataDir, { recursive: true });
}
