// Starts a broker, four services and a page, replays the orders, and compares what arrived with the CSV files.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "posthorn";
import { Broker, freePort } from "./broker.ts";
import { comparisonTable, isEqual } from "./comparison.ts";
import { planCrashes } from "./crashes.ts";
import { expectedTotals } from "./expected.ts";
import { help, type Options, readOptions } from "./options.ts";
import { PageServer } from "./page-server.ts";
import { type Process, Processes } from "./processes.ts";
import { Progress } from "./progress.ts";
import type { PublisherReport, ServiceReport } from "./reports.ts";
import { endOfReplay, services } from "./services.ts";

/** With nothing new from any process for this long, something is stuck. */
const stallTimeoutMs = 30_000;

const progress = new Progress();
const processes = new Processes();
const page = new PageServer();

/** Resolves with whether every service has counted what the files say. */
async function play(options: Options, dataDir: string): Promise<boolean> {
  const port = await freePort();
  await page.listen(`127.0.0.1:${port}`);
  const broker = new Broker(processes, port, dataDir, page.origin);
  await broker.start();
  progress.say(`broker     ${broker.url}, data in ${dataDir}`);
  progress.say(`dashboard  ${page.origin}`);

  // A service that is ready has its queue and bindings. From then on it misses nothing, whether it runs or not.
  const workers = services.map((service) => ({
    service,
    process: processes.start<ServiceReport>(service.name, "./service.ts", [service.name, broker.url]),
  }));
  await Promise.all(workers.map(({ process }) => process.until(isUp)));
  for (const { service, process } of workers) {
    progress.say(`service    ${service.name} (process ${process.pid}): ${service.bindings.join(", ")}`);
  }

  const publisherArgs = [broker.url, String(options.eventsPerSecond)];
  const publisher = processes.start<PublisherReport>("publisher", "./publisher.ts", publisherArgs);
  await publisher.until(isUp);
  if (options.waitForBrowser) {
    progress.say("Waiting until the dashboard is opened.");
    await page.watched;
  }

  processes.onReport = () => {
    const { confirmed = 0, events = 0 } = publisher.report ?? {};
    const seen = workers.map(({ service, process }) => `${service.name} ${number(process.report?.events)}`);
    progress.show(`${number(confirmed)} of ${number(events)} confirmed · ${seen.join(" · ")}`);
  };
  const endExpectation = processes.expectReports(stallTimeoutMs);
  publisher.send("go");
  await Promise.all([crash(options, broker, publisher), publisher.until(isFinished)]);

  // Every event is confirmed. A last message in each queue, behind all others, says that this was all.
  const posthorn = await connect(broker.url, { name: "main" });
  for (const { name } of services) await posthorn.queue(name).publish("", { type: endOfReplay });
  await posthorn.close();
  const reports = await Promise.all(workers.map(({ process }) => process.until(isFinished)));
  endExpectation();
  processes.onReport = () => {};

  const expected = expectedTotals();
  const counted = services.map((service, index) => ({ service, ...reports[index]! }));
  progress.say(`\n${comparisonTable(counted, expected)}\n`);
  return counted.every((each) => isEqual(each, expected));
}

/** Kills the broker and starts it again, as often as it is asked for. */
async function crash(options: Options, broker: Broker, publisher: Process<PublisherReport>): Promise<void> {
  if (options.crashes === 0) return;
  progress.say(`crashes    ${options.crashes}, --seed ${options.seed}`);
  const { events } = await publisher.until(isUp);
  for (const { atEvent, delayMs, downMs } of planCrashes(options.seed, options.crashes, events)) {
    await publisher.until(({ confirmed }) => confirmed >= atEvent);
    await sleep(delayMs);
    await broker.kill();
    const killedAt = performance.now();
    await sleep(downMs);
    await broker.start();
    const awayMs = Math.round(performance.now() - killedAt);
    progress.say(`broker killed after ${number(atEvent)} confirms, back after ${awayMs} ms`);
  }
}

/** Its first report says so. */
function isUp(): boolean {
  return true;
}

function isFinished({ state }: ServiceReport | PublisherReport): boolean {
  return state === "finished";
}

function number(count = 0): string {
  return count.toLocaleString("en");
}

async function main(options: Options): Promise<number> {
  if (options.help) {
    console.log(help);
    return 0;
  }
  const interrupted = Promise.race(
    (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name) => once(process, name)),
  );
  const dataDir = mkdtempSync(join(tmpdir(), "posthorn-orders-"));
  // However this ends. The processes are dead by then, but may not all be buried: hence the retries.
  process.once("exit", () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  try {
    const isAllEqual = await Promise.race([
      play(options, dataDir),
      processes.failed,
      interrupted.then(() => undefined),
    ]);
    if (isAllEqual === undefined) return 130;
    progress.say(
      isAllEqual ? "Every service counted what the files say." : "Something was lost or counted twice.",
    );
    if (options.keep) {
      progress.say(`Broker and dashboard stay up: ${page.origin}. Ctrl-C ends them.`);
      await Promise.race([interrupted, processes.failed]);
    }
    return isAllEqual ? 0 : 1;
  } finally {
    page.close();
    await processes.stopAll();
  }
}

try {
  process.exit(await main(readOptions(process.argv.slice(2))));
} catch (error) {
  progress.say((error as Error).message);
  process.exit(1);
}
