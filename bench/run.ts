/**
 * `npm run bench -- [--rounds 3] [WORKLOAD …]`: the workloads below through the real SDK, each load generator in a process of
 * its own. Prints medians, spread and CPU seconds per million messages as Markdown. Machines differ: compare ratios.
 */
import { parseArgs } from "node:util";
import { processCpuSeconds, startBrokerUnderTest } from "./broker-under-test.ts";
import { withTemporaryDirectory } from "./temporary-directory.ts";
import { startWorker } from "./worker.ts";

interface Workload {
  readonly name: string;
  readonly bytes: number;
  readonly messages: number;
  readonly kind: "persistent" | "transient";
  readonly hasConsumer: boolean;
}

const workloads: readonly Workload[] = [
  { name: "confirm-100B", bytes: 100, messages: 400_000, kind: "persistent", hasConsumer: false },
  { name: "confirm-1KiB", bytes: 1024, messages: 200_000, kind: "persistent", hasConsumer: false },
  { name: "confirm-16KiB", bytes: 16_384, messages: 20_000, kind: "persistent", hasConsumer: false },
  { name: "e2e-100B", bytes: 100, messages: 400_000, kind: "persistent", hasConsumer: true },
  { name: "e2e-1KiB", bytes: 1024, messages: 200_000, kind: "persistent", hasConsumer: true },
  { name: "e2e-transient-100B", bytes: 100, messages: 400_000, kind: "transient", hasConsumer: true },
];

interface Measured {
  readonly perSecond: number;
  /** CPU seconds per million messages. */
  readonly brokerCpu: number;
  readonly clientCpu: number;
}

async function run({ bytes, messages, kind, hasConsumer }: Workload): Promise<Measured> {
  return withTemporaryDirectory(async (dataDir) => {
    const broker = await startBrokerUnderTest(dataDir, ["--log-level", "info"]);
    const pid = broker.child.pid as number;
    const consumer = hasConsumer
      ? startWorker("consume", [broker.url, "bench", String(messages), "1000", "any"])
      : undefined;
    await consumer?.ready;
    const cpuBefore = processCpuSeconds(pid);
    const produced = await startWorker("produce", [
      broker.url,
      "bench",
      String(bytes),
      String(messages),
      "1000",
      kind,
    ]).result;
    const consumed = await consumer?.result;
    const cpuSeconds = processCpuSeconds(pid) - cpuBefore;
    await broker.stop();
    const perMillion = 1e6 / messages;
    return {
      perSecond: messages / Math.max(produced.seconds, consumed?.seconds ?? 0),
      brokerCpu: cpuSeconds * perMillion,
      clientCpu: (produced.cpuSeconds + (consumed?.cpuSeconds ?? 0)) * perMillion,
    };
  });
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}

function median(numbers: readonly number[]): number {
  return sorted(numbers)[Math.floor(numbers.length / 2)] as number;
}

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "3" } },
  allowPositionals: true,
});
const chosen = workloads.filter(
  ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
const results = new Map<string, Measured[]>(chosen.map(({ name }) => [name, []]));
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const workload of chosen) {
    process.stderr.write(`round ${round}: ${workload.name}\n`);
    results.get(workload.name)?.push(await run(workload));
  }
}
process.stdout.write(
  "| workload | msg/s, median | min – max | broker CPU s / M | clients CPU s / M |\n|---|---:|---:|---:|---:|\n",
);
for (const [name, measured] of results) {
  const rates = sorted(measured.map(({ perSecond }) => Math.round(perSecond)));
  const cells = [
    name,
    median(rates).toLocaleString("en"),
    `${rates[0]?.toLocaleString("en")} – ${rates.at(-1)?.toLocaleString("en")}`,
    median(measured.map(({ brokerCpu }) => brokerCpu)).toFixed(2),
    median(measured.map(({ clientCpu }) => clientCpu)).toFixed(2),
  ];
  process.stdout.write(`| ${cells.join(" | ")} |\n`);
}
