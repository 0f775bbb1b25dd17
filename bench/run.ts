/** `npm run bench`: measures Posthorn, beside any peers, and prints what it found. See README.md. */
import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { type Arguments, parseArguments, usage } from "./arguments.ts";
import { type Checkout, checkOut, currentCommit } from "./checkout.ts";
import { Progress } from "./progress.ts";
import { renderHtml } from "./report/html.ts";
import { renderMarkdown } from "./report/markdown.ts";
import type { Environment, Results, WorkloadResults } from "./report/results.ts";
import { runWorkload, stepsOf } from "./run-workload.ts";
import { peerTarget } from "./targets/peer-target.ts";
import { posthornTarget } from "./targets/posthorn-target.ts";
import { rawWsTarget } from "./targets/raw-ws-target.ts";
import type { Target } from "./targets/target.ts";
import { chooseWorkloads } from "./workloads/catalogue.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const interruptedExitCode = 130;

async function main(argv: readonly string[]): Promise<number> {
  const options = parseArguments(argv);
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  const workloads = chooseWorkloads(options.workloads);
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interruption.abort());
  const checkouts: Checkout[] = [];
  try {
    const targets = await findTargets(options, checkouts);
    const steps = workloads.reduce((sum, workload) => sum + stepsOf(workload, options.rounds), 0);
    const progress = new Progress(process.stderr, steps * targets.length);
    const course = { ...options, interrupted: interruption.signal, progress };
    const finished: WorkloadResults[] = [];
    for (const workload of workloads) {
      if (interruption.signal.aborted) break;
      finished.push(await runWorkload(workload, targets, course));
    }
    progress.end();
    publish(
      {
        environment: environment(options, argv),
        targets: targets.map(({ label }) => label),
        workloads: finished,
      },
      options,
    );
  } finally {
    for (const checkout of checkouts) checkout.remove();
  }
  return interruption.signal.aborted ? interruptedExitCode : 0;
}

async function findTargets(options: Arguments, checkouts: Checkout[]): Promise<Target[]> {
  const targets = [posthornTarget("Posthorn", root, options.profileDirectory)];
  for (const ref of options.against) {
    process.stderr.write(`checking out and building ${ref}\n`);
    const checkout = checkOut(root, ref);
    checkouts.push(checkout);
    targets.push(posthornTarget(`Posthorn ${checkout.commit}`, checkout.root));
  }
  for (const [position, peer] of options.peers.entries()) {
    targets.push(await peerTarget(peer, options.peerPids[position]));
  }
  if (options.rawWs) targets.push(rawWsTarget());
  return targets;
}

function publish(results: Results, { jsonFile, htmlFile }: Arguments): void {
  process.stdout.write(renderMarkdown(results));
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(results, undefined, 2)}\n`);
  if (htmlFile !== undefined) writeFileSync(htmlFile, renderHtml(results));
}

function environment({ rounds, scale }: Arguments, argv: readonly string[]): Environment {
  const [cpu] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: currentCommit(root),
    node: process.versions.node,
    machine: `${cpus().length} × ${cpu?.model.trim() ?? "CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    commandLine: `npm run bench -- ${argv.map((arg) => (/^[\w./:,=+-]+$/.test(arg) ? arg : `'${arg}'`)).join(" ")}`,
    rounds,
    scale,
  };
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(1);
  },
);
