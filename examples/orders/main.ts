// Starts a broker, four services and a page, replays the orders, and compares what arrived with the CSV files.
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
import { endOfReplay, type Service, services } from "./services.ts";

/** With nothing new from any process for this long, something is stuck. */
const stallTimeoutMs = 30_000;

type ServiceProcess = Process<ServiceReport> & { readonly service: Service };

const progress = new Progress();
const page = new PageServer();
const dataDir = mkdtempSync(join(tmpdir(), "posthorn-orders-"));

async function replay(options: Options, processes: Processes): Promise<boolean> {
  // 1. The broker, and the page, which comes from elsewhere.
  const port = await freePort();
  await page.listen(`127.0.0.1:${port}`);
  const broker = new Broker(processes, port, dataDir, page.origin);
  await broker.start();
  progress.say(`broker   ${broker.url}, data in ${dataDir}`);
  progress.say(`page     ${page.origin}`);

  // 2. The services. From when they are ready, nothing that concerns them can be missed: their queues exist.
  const workers = services.map((service) =>
    processes.start<ServiceReport>(service.name, "./service.ts", [service.name, broker.url]),
  );
  const publisher = processes.start<PublisherReport>("publisher", "./publisher.ts", [
    broker.url,
    String(options.eventsPerSecond),
  ]);
  await Promise.all([...workers, publisher].map((each) => each.until(() => true)));
  progress.say(`services ${services.map(({ name }) => name).join(", ")}`);
  if (options.waitForBrowser) {
    progress.say("Waiting for the page to be opened.");
    await page.watched;
  }
}
