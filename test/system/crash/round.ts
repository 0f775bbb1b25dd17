import { connect, type Posthorn, PosthornError, type Queue } from "../../../client/index.ts";
import { startBrokerProcess } from "../../support/broker-process.ts";
import { Ledger, problems } from "./ledger.ts";

/** `archive` has no consumer, `fast` acks everything, `slow` requeues, rejects and leaves open. */
const queueNames = ["archive", "fast", "slow"] as const;

export interface RoundOptions {
  readonly dataDir: string;
  /** 0 ≤ x < 1; decides sizes, moments and outcomes. */
  readonly random: () => number;
  /** Number of the first message, so that rounds on one directory do not mix. */
  readonly firstNumber: number;
}

export interface RoundResult {
  readonly published: number;
  readonly confirmed: number;
  readonly acked: number;
  readonly recovered: number;
  readonly problems: readonly string[];
}

/** Loads a broker, kills it with SIGKILL at a random moment, starts it again, and compares what is there. */
export async function crashRound(options: RoundOptions): Promise<RoundResult> {
  const ledger = new Ledger();
  await loadAndKill(options, ledger);
  const found = await drain(options.dataDir);
  return {
    published: ledger.published.length,
    confirmed: ledger.confirmed.size,
    acked: [...ledger.acked.values()].reduce((sum, set) => sum + set.size, 0),
    recovered: [...found.values()].reduce((sum, numbers) => sum + numbers.length, 0),
    problems: problems(ledger, found),
  };
}

async function loadAndKill({ dataDir, random, firstNumber }: RoundOptions, ledger: Ledger): Promise<void> {
  const broker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0", "--log-level", "info"]);
  const producer = await connect(broker.url, { reconnect: false });
  const exchange = await producer.exchange("crash").declare({ type: "fanout" });
  for (const name of queueNames) await (await producer.queue(name).declare()).bind(exchange);
  const consumers = await Promise.all([
    consume(broker.url, "fast", ledger, () => "ack"),
    consume(broker.url, "slow", ledger, () => slowOutcome(random())),
  ]);
  const publishing = publishUntilGone(producer, firstNumber, random, ledger);
  const killAfterMs = 50 + random() * 400;
  await new Promise((resolve) => setTimeout(resolve, killAfterMs));
  await broker.kill();
  await Promise.all([publishing, ...consumers.map((gone) => gone())]);
}

/** The broker was killed: what was under way fails with this and nothing else. */
function expectGone(error: unknown): void {
  if (!(error instanceof PosthornError) || error.code !== "connection-closed") throw error;
}

function slowOutcome(roll: number): "ack" | "requeue" | "reject" | "leave" {
  if (roll < 0.5) return "ack";
  if (roll < 0.8) return "requeue";
  return roll < 0.9 ? "reject" : "leave";
}

async function publishUntilGone(
  producer: Posthorn,
  first: number,
  random: () => number,
  ledger: Ledger,
): Promise<void> {
  const exchange = producer.exchange("crash");
  const filler = "x".repeat(20_000);
  for (let number = first; ; number++) {
    try {
      await producer.ready();
    } catch {
      return;
    }
    ledger.published.push(number);
    // Mostly small, now and then large: rows of many messages and rows of one.
    const size = random() < 0.02 ? 20_000 : Math.floor(random() * 300);
    exchange
      .publish("", `${number} ${filler.slice(0, size)}`)
      .then(() => ledger.confirmed.add(number))
      .catch(expectGone);
  }
}

/** Returns how to wait until the consumer has noticed that the broker is gone. */
async function consume(
  url: string,
  name: "fast" | "slow",
  ledger: Ledger,
  outcome: () => "ack" | "requeue" | "reject" | "leave",
): Promise<() => Promise<void>> {
  const posthorn = await connect(url, { reconnect: false });
  const settled = ledger.of(ledger.settled, name);
  const acked = ledger.of(ledger.acked, name);
  let unproven: number[] = [];
  let isProving = false;

  // A confirm of a message published after an ack, on the same session, proves that the ack is on disk too: commits
  // keep the order. The marker goes through a durable queue, for only those wait for the disk.
  const prove = async () => {
    if (isProving) return;
    isProving = true;
    while (unproven.length > 0) {
      const batch = unproven;
      unproven = [];
      await posthorn.queue("markers").publish("marker");
      for (const number of batch) acked.add(number);
    }
    isProving = false;
  };
  await posthorn.queue("markers").declare();
  const working = (async () => {
    for await (const message of posthorn.queue(name).consume({ prefetch: 200 })) {
      const number = Number(message.text().split(" ", 1)[0]);
      const what = outcome();
      if (what === "leave") continue;
      if (what === "requeue") {
        message.requeue();
        continue;
      }
      if (what === "ack") message.ack();
      else message.reject();
      settled.add(number);
      unproven.push(number);
      prove().catch(expectGone);
    }
  })();
  const gone = working.catch(expectGone);
  return () => gone;
}

async function drain(dataDir: string): Promise<Map<string, number[]>> {
  const broker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0", "--log-level", "info"]);
  const posthorn = await connect(broker.url, { reconnect: false });
  const found = new Map<string, number[]>();
  for (const name of queueNames) found.set(name, await drainQueue(posthorn.queue(name)));
  await posthorn.queue("markers").purge();
  await posthorn.close();
  const exitCode = await broker.stop();
  if (exitCode !== 0) throw new Error(`The broker ended with ${exitCode} after a recovery.`);
  return found;
}

async function drainQueue(queue: Queue): Promise<number[]> {
  const numbers: number[] = [];
  const { messageCount } = await queue.check();
  if (messageCount === 0) return numbers;
  for await (const message of queue.consume({ prefetch: 1000 })) {
    numbers.push(Number(message.text().split(" ", 1)[0]));
    message.ack();
    if (numbers.length === messageCount) break;
  }
  if (await queue.get()) throw new Error("There was more in the queue than it counted.");
  return numbers;
}
