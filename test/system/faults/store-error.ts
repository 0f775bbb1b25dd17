import { connect } from "../../../client/index.ts";
import { startBrokerProcess } from "../../support/broker-process.ts";
import { type ConfirmProof, proveConfirms } from "./confirm-proof.ts";
import { load, queueNames } from "./load.ts";
import { markOfIntact } from "./marked-body.ts";
import { seeded } from "./seeded.ts";
import { type Ended, startTracedBroker, storeFileOf } from "./traced-broker.ts";

export interface StoreErrorOptions {
  /** An empty directory of its own. */
  readonly directory: string;
  /** As after `strace -e inject=`. Counts are by thread, and any of four threads may commit. */
  readonly inject: string;
  readonly seed: number;
}

export interface StoreErrorResult {
  readonly ended: Ended;
  readonly proof: ConfirmProof;
  /** Messages of the log's lines of level fatal. */
  readonly fatal: readonly string[];
  readonly stderr: string;
  readonly confirmed: number;
  /** Messages of the queue that nobody consumes, after the restart. */
  readonly recovered: number;
  /** Of those, confirmed before the error and not there after the restart. */
  readonly lost: readonly string[];
}

/**
 * Loads a broker until a system call on its store fails, and starts it again. The store is made before, since the first start
 * writes to it too.
 */
export async function storeErrorRound({
  directory,
  inject,
  seed,
}: StoreErrorOptions): Promise<StoreErrorResult> {
  const dataDir = `${directory}/data`;
  const traceFile = `${directory}/trace`;
  const maker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0"]);
  await maker.stop();

  const broker = await startTracedBroker({ dataDir, traceFile, inject: [inject] });
  const loading = load({
    url: broker.url,
    random: seeded(seed),
    maxBytes: 50_000,
    messages: Number.POSITIVE_INFINITY,
    window: 100,
  });
  const ended = await broker.ended;
  const { confirmed, confirmedKept } = await loading;
  const proof = await proveConfirms(traceFile, storeFileOf(dataDir));

  const found = await drainKept(dataDir);
  return {
    ended,
    proof,
    fatal: broker.log.filter(({ level }) => level === "fatal").map(({ msg }) => String(msg)),
    stderr: broker.stderr(),
    confirmed,
    recovered: found.size,
    lost: confirmedKept.filter((mark) => !found.has(mark)),
  };
}

async function drainKept(dataDir: string): Promise<Set<string>> {
  const broker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0"]);
  const posthorn = await connect(broker.url, { reconnect: false });
  const queue = posthorn.queue(queueNames.kept);
  const { messageCount } = await queue.check();
  const found = new Set<string>();
  if (messageCount > 0) {
    for await (const message of queue.consume({ prefetch: 1000 })) {
      found.add(markOfIntact(message.bytes));
      message.ack();
      if (found.size === messageCount) break;
    }
  }
  await posthorn.close();
  await broker.stop();
  return found;
}
