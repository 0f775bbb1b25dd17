import { connect, type Posthorn } from "../../../client/index.ts";
import { startBrokerProcess } from "../../support/broker-process.ts";
import { consume, releaseUntilGone, retryOutcome, slowOutcome } from "./consumers.ts";
import { drain } from "./drain.ts";
import { expectGone } from "./gone.ts";
import { deliveryLimit, Ledger, problems } from "./ledger.ts";
import { Prover } from "./prover.ts";

const deadLetterQueue = "failed";

/**
 * `archive` has no consumer, `fast` acks everything, `slow` requeues, rejects and leaves open. What it rejects or requeues too often
 * goes to `failed`, and is redriven from there again and again. `retried` gives back with delays; what comes back too often is parked
 * there, and released.
 */
const queues = {
  archive: {},
  fast: {},
  slow: { deadLetterQueue, deliveryLimit },
  retried: {
    deliveryLimit,
    retry: { initialDelay: 2, multiplier: 3, maxDelay: 100, jitter: 0.5 },
  },
} as const;

/** Queues that a message can be in, of those of one place. */
const places = new Map(
  Object.keys(queues).map((name) => [name, name === "slow" ? [name, deadLetterQueue] : [name]]),
);

export interface RoundOptions {
  readonly dataDir: string;
  /** 0 ≤ x < 1; decides sizes, moments and outcomes. */
  readonly random: () => number;
  /** Number of the first message, so that rounds on one directory do not mix. */
  readonly firstNumber: number;
  /** The kill may come as soon as a message is confirmed. Otherwise one has been tried as often as it may be, and released. */
  readonly isEarly: boolean;
}

export interface RoundResult {
  readonly published: number;
  readonly confirmed: number;
  readonly acked: number;
  readonly recovered: number;
  /** Of those, how many had died before the kill, */
  readonly dead: number;
  /** or were to come back later, */
  readonly delayed: number;
  /** or were parked. */
  readonly parked: number;
  readonly problems: readonly string[];
}

/** Loads a broker, kills it with SIGKILL at a random moment, starts it again, and compares what is there. */
export async function crashRound(options: RoundOptions): Promise<RoundResult> {
  const ledger = new Ledger();
  await loadAndKill(options, ledger);
  const found = await drain(options.dataDir, places);
  const messages = [...found.values()].flat(2);
  return {
    published: ledger.published.length,
    confirmed: ledger.confirmed.size,
    acked: ledger.acksOnDisk,
    recovered: messages.length,
    dead: messages.filter(({ rejections, givenUp }) => rejections + givenUp > 0).length,
    delayed: messages.filter(({ state }) => state === "delayed").length,
    parked: messages.filter(({ state }) => state === "parked").length,
    problems: problems(ledger, found),
  };
}

async function loadAndKill(
  { dataDir, random, firstNumber, isEarly }: RoundOptions,
  ledger: Ledger,
): Promise<void> {
  const broker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0", "--log-level", "info"]);
  const producer = await connect(broker.url, { reconnect: false });
  const exchange = await producer.exchange("crash").declare({ type: "fanout" });
  await producer.queue(deadLetterQueue).declare();
  for (const [name, declaration] of Object.entries(queues)) {
    const queue = await producer.queue(name).declare(declaration);
    await queue.bind(exchange);
  }
  const consumers = await Promise.all([
    consume(broker.url, "fast", ledger, () => "ack"),
    consume(broker.url, "slow", ledger, () => slowOutcome(random)),
    consume(broker.url, "retried", ledger, (message) => retryOutcome(random, message)),
  ]);
  const redriving = redriveUntilGone(await connect(broker.url, { reconnect: false }));
  const releasing = releaseUntilGone(await Prover.connect(broker.url), "retried", ledger, random);
  const publishing = publishUntilGone(producer, firstNumber, random, ledger);
  // However busy the machine is, there is something to lose.
  const { released } = ledger.at("retried");
  while (ledger.confirmed.size === 0 || (!isEarly && released.numbersOnDisk.length === 0))
    await new Promise((resolve) => setTimeout(resolve, 5));
  const killAfterMs = random() * 450;
  await new Promise((resolve) => setTimeout(resolve, killAfterMs));
  await broker.kill();
  await Promise.all([publishing, redriving, releasing, ...consumers.map((gone) => gone())]);
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
