import { connect, type Posthorn, PosthornError, type Queue } from "../../../client/index.ts";
import { startBrokerProcess } from "../../support/broker-process.ts";
import { type Found, type FoundMessage, Ledger, problems, type Tally } from "./ledger.ts";

/**
 * `archive` has no consumer, `fast` acks everything, `slow` requeues, rejects and leaves open. What it rejects goes to `failed`,
 * and is redriven from there again and again.
 */
const queueNames = ["archive", "fast", "slow"] as const;
const deadLetterQueue = "failed";

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
  /** Of those, how many had died before the kill. */
  readonly dead: number;
  readonly problems: readonly string[];
}

/** Loads a broker, kills it with SIGKILL at a random moment, starts it again, and compares what is there. */
export async function crashRound(options: RoundOptions): Promise<RoundResult> {
  const ledger = new Ledger();
  await loadAndKill(options, ledger);
  const found = await drain(options.dataDir);
  const messages = [...found.values()].flat(2);
  return {
    published: ledger.published.length,
    confirmed: ledger.confirmed.size,
    acked: ledger.acksOnDisk,
    recovered: messages.length,
    dead: messages.filter(({ deaths }) => deaths > 0).length,
    problems: problems(ledger, found),
  };
}

async function loadAndKill({ dataDir, random, firstNumber }: RoundOptions, ledger: Ledger): Promise<void> {
  const broker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0", "--log-level", "info"]);
  const producer = await connect(broker.url, { reconnect: false });
  const exchange = await producer.exchange("crash").declare({ type: "fanout" });
  await producer.queue(deadLetterQueue).declare();
  for (const name of queueNames) {
    const queue = producer.queue(name);
    await queue.declare(name === "slow" ? { deadLetterQueue } : {});
    await queue.bind(exchange);
  }
  const consumers = await Promise.all([
    consume(broker.url, "fast", ledger, () => "ack"),
    consume(broker.url, "slow", ledger, () => slowOutcome(random())),
  ]);
  const redriving = redriveUntilGone(await connect(broker.url, { reconnect: false }));
  const publishing = publishUntilGone(producer, firstNumber, random, ledger);
  // However busy the machine is, there is something to lose.
  while (ledger.confirmed.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const killAfterMs = random() * 450;
  await new Promise((resolve) => setTimeout(resolve, killAfterMs));
  await broker.kill();
  await Promise.all([publishing, redriving, ...consumers.map((gone) => gone())]);
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

/** Half of what is in the dead-letter queue at a time goes back to the queue that failed. */
async function redriveUntilGone(posthorn: Posthorn): Promise<void> {
  const queue = posthorn.queue(deadLetterQueue);
  try {
    for (;;) {
      const { ready } = await queue.status();
      if (ready > 1) await queue.redrive({ limit: Math.floor(ready / 2) });
    }
  } catch (error) {
    expectGone(error);
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
  const { acked, requeued, rejected } = ledger.at(name);
  let unproven: (() => void)[] = [];
  let isProving = false;

  // A confirm of a message published after a settlement, on the same session, proves that the settlement is on disk too: commits
  // keep the order. The marker goes through a durable queue, for only those wait for the disk.
  const prove = async () => {
    if (isProving) return;
    isProving = true;
    while (unproven.length > 0) {
      const batch = unproven;
      unproven = [];
      await posthorn.queue("markers").publish("marker");
      for (const proven of batch) proven();
    }
    isProving = false;
  };
  const note = (tally: Tally, number: number) => {
    tally.send(number);
    unproven.push(() => tally.prove(number));
    prove().catch(expectGone);
  };
  await posthorn.queue("markers").declare();
  const working = (async () => {
    for await (const message of posthorn.queue(name).consume({ prefetch: 200 })) {
      const number = Number(message.text().split(" ", 1)[0]);
      const what = outcome();
      if (what === "ack") {
        message.ack();
        note(acked, number);
      } else if (what === "requeue") {
        message.requeue();
        note(requeued, number);
      } else if (what === "reject") {
        message.reject();
        note(rejected, number);
      }
    }
  })();
  const gone = working.catch(expectGone);
  return () => gone;
}

async function drain(dataDir: string): Promise<Found> {
  const broker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0", "--log-level", "info"]);
  const posthorn = await connect(broker.url, { reconnect: false });
  const found = new Map<string, FoundMessage[][]>();
  for (const name of queueNames) found.set(name, [await drainQueue(posthorn.queue(name))]);
  found.get("slow")!.push(await drainQueue(posthorn.queue(deadLetterQueue)));
  await posthorn.queue("markers").purge();
  await posthorn.close();
  const exitCode = await broker.stop();
  if (exitCode !== 0) throw new Error(`The broker ended with ${exitCode} after a recovery.`);
  return found;
}

async function drainQueue(queue: Queue): Promise<FoundMessage[]> {
  const messages: FoundMessage[] = [];
  const { messageCount } = await queue.check();
  if (messageCount === 0) return messages;
  for await (const message of queue.consume({ prefetch: 1000 })) {
    const { attempts, deaths } = message;
    const number = Number(message.text().split(" ", 1)[0]);
    messages.push({ number, attempts, deaths: deaths.reduce((sum, { count }) => sum + count, 0) });
    message.ack();
    if (messages.length === messageCount) break;
  }
  if (await queue.get()) throw new Error("There was more in the queue than it counted.");
  return messages;
}
