/**
 * `npm run bench:backlog -- [--messages 1000000] [--bytes 1024]`: queues messages with no consumer, and measures what they
 * cost in anonymous memory and on disk, how long a restart takes to the first delivery, and how fast they drain, in order.
 */
import { statfsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { processMemory, startBrokerUnderTest } from "./broker-under-test.ts";
import { withTemporaryDirectory } from "./temporary-directory.ts";
import { startWorker } from "./worker.ts";

const { values } = parseArgs({
  options: { messages: { type: "string", default: "1000000" }, bytes: { type: "string", default: "1024" } },
});
const messages = Number(values.messages);
const bytes = Number(values.bytes);
const mib = (count: number) => `${(count / 2 ** 20).toFixed(1)} MiB`;

async function directoryBytes(directory: string): Promise<number> {
  const files = await readdir(directory, { withFileTypes: true });
  const sizes = files
    .filter((file) => file.isFile())
    .map(async (file) => (await stat(join(directory, file.name))).blocks * 512);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

await withTemporaryDirectory(async (dataDir) => {
  const { bavail, bsize } = statfsSync(dataDir);
  if (bavail * bsize < messages * bytes * 3)
    throw new Error("There is not enough room on the disk for this.");

  let broker = await startBrokerUnderTest(dataDir);
  const pid = () => broker.child.pid as number;
  const produce = (count: number) =>
    startWorker("produce", [broker.url, "backlog", String(bytes), String(count), "1000", "persistent"]);
  // The compiler and the first pages of the heap are not the backlog's: they are there before it is measured.
  const warm = startWorker("consume", [broker.url, "backlog", "20000", "1000", "any"]);
  await warm.ready;
  await produce(20_000).result;
  await warm.result;
  const idle = processMemory(pid(), "RssAnon");
  const { seconds } = await produce(messages).result;
  const queued = processMemory(pid(), "RssAnon");
  const disk = await directoryBytes(dataDir);
  await broker.stop();

  const restartedAt = Date.now();
  broker = await startBrokerUnderTest(dataDir);
  const listening = Date.now() - restartedAt;
  const consumer = startWorker("consume", [broker.url, "backlog", String(messages), "1000", "ordered"]);
  await consumer.ready;
  const first = (await consumer.first) - restartedAt;
  const drained = await consumer.result;
  const afterDrain = processMemory(pid(), "RssAnon");
  await broker.stop();

  const rows = [
    [
      "queued",
      `${messages.toLocaleString("en")} × ${bytes} B, ${Math.round(messages / seconds).toLocaleString("en")} msg/s`,
    ],
    ["RssAnon idle → queued", `${mib(idle)} → ${mib(queued)}, growth ${mib(queued - idle)}`],
    ["disk", `${mib(disk)}, ${(disk / (messages * bytes)).toFixed(2)}× the bodies`],
    ["restart → listening", `${listening} ms`],
    ["restart → first delivery", `${first} ms, of which the consumer's own process takes some 300 ms`],
    ["drain, in order", `${Math.round(messages / drained.seconds).toLocaleString("en")} msg/s`],
    ["RssAnon after the drain", mib(afterDrain)],
  ];
  process.stdout.write(
    `\n| backlog | |\n|---|---|\n${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`,
  );
});
