import { connect } from "../../../client/index.ts";
import { startBrokerProcess } from "../../support/broker-process.ts";
import { startTracedBroker } from "./traced-broker.ts";

export interface SlowSyncOptions {
  /** An empty directory of its own. */
  readonly directory: string;
  /** How much longer every fdatasync takes. */
  readonly delayMs: number;
  /** Confirms to wait for, one after the other. */
  readonly publishes: number;
}

export interface SlowSyncResult {
  /** For each publish: milliseconds until its confirm, and how many requests of another client were answered meanwhile. */
  readonly confirmMs: readonly number[];
  readonly answersMeanwhile: readonly number[];
  /** What each of those requests took. */
  readonly answerMs: readonly number[];
}

/** Publishes while every fdatasync is slow, and has another client ask after a transient queue, again and again. */
export async function slowSyncRound({
  directory,
  delayMs,
  publishes,
}: SlowSyncOptions): Promise<SlowSyncResult> {
  const dataDir = `${directory}/data`;
  // Making a store takes many syncs.
  const maker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0"]);
  await maker.stop();
  const broker = await startTracedBroker({
    dataDir,
    traceFile: `${directory}/trace`,
    inject: [`fdatasync:delay_enter=${delayMs * 1000}`],
  });
  const publisher = await connect(broker.url, { reconnect: false });
  const asker = await connect(broker.url, { reconnect: false });
  const durable = await publisher.queue("durable").declare();
  const transient = await asker.queue("transient").declare({ durable: false });
  const confirmMs: number[] = [];
  const answersMeanwhile: number[] = [];
  const answerMs: number[] = [];
  for (let i = 0; i < publishes; i++) {
    const startMs = performance.now();
    let isConfirmed = false;
    const publishing = durable.publish("to be synced").then(() => {
      confirmMs.push(performance.now() - startMs);
      isConfirmed = true;
    });
    let answers = 0;
    while (!isConfirmed) {
      const askedMs = performance.now();
      await transient.check();
      answerMs.push(performance.now() - askedMs);
      if (!isConfirmed) answers++;
    }
    answersMeanwhile.push(answers);
    await publishing;
  }
  await publisher.close();
  await asker.close();
  await broker.stop();
  return { confirmMs, answersMeanwhile, answerMs };
}
