import type { ReceivedMessage } from "../../../client/index.ts";
import { expectGone } from "./gone.ts";
import { type Deeds, deliveryLimit, type Ledger } from "./ledger.ts";
import { Prover } from "./prover.ts";
import type { Tally } from "./tally.ts";

/** What a consumer does with a message; `delay` in milliseconds. */
export type Outcome = "ack" | "requeue" | "reject" | "leave" | { readonly delay: number };

const longDelayMs = 3_600_000;

/** Some is rejected, and some left open. */
export function slowOutcome(random: () => number): Outcome {
  const roll = random();
  if (roll < 0.5) return "ack";
  if (roll < 0.8) return "requeue";
  return roll < 0.9 ? "reject" : "leave";
}

/** Nothing is left open: a message that was parked and released goes alone, to a consumer that has nothing else. */
export function retryOutcome(random: () => number, { attempts }: ReceivedMessage): Outcome {
  const roll = random();
  if (roll < 0.3) return "ack";
  if (roll < 0.6) return "requeue";
  // What would be parked is not delayed.
  if (roll > 0.95 && attempts + 1 < deliveryLimit) return { delay: longDelayMs };
  return { delay: 1 + Math.floor(random() * 50) };
}

export function numberOf(message: { text(): string }): number {
  return Number(message.text().split(" ", 1)[0]);
}

/** Returns how to wait until the consumer has noticed that the broker is gone. */
export async function consume(
  url: string,
  name: string,
  ledger: Ledger,
  outcomeOf: (message: ReceivedMessage) => Outcome,
): Promise<() => Promise<void>> {
  const prover = await Prover.connect(url);
  const deeds = ledger.at(name);
  const working = (async () => {
    for await (const message of prover.posthorn.queue(name).consume({ prefetch: 200 })) {
      const tallies = settle(message, outcomeOf(message), deeds);
      if (tallies.length > 0) prover.sent(numberOf(message), ...tallies);
    }
  })();
  const gone = working.catch(expectGone);
  return () => gone;
}

/** Returns where to write it down. */
function settle(
  message: ReceivedMessage,
  outcome: Outcome,
  { acked, requeued, rejected, delayed }: Deeds,
): Tally[] {
  if (outcome === "leave") return [];
  if (outcome === "ack") {
    message.ack();
    return [acked];
  }
  if (outcome === "reject") {
    message.reject();
    return [rejected];
  }
  const reason = `${message.attempts + 1}`;
  if (outcome === "requeue") {
    message.requeue({ reason });
    return [requeued];
  }
  message.nack({ delay: outcome.delay, reason });
  return outcome.delay === longDelayMs ? [requeued, delayed] : [requeued];
}

/** Half of what is parked at a time is released. */
export async function releaseUntilGone(
  prover: Prover,
  name: string,
  ledger: Ledger,
  random: () => number,
): Promise<void> {
  const queue = prover.posthorn.queue(name);
  const { released } = ledger.at(name);
  try {
    for (;;) {
      const { messages } = await queue.browsePage({ filter: { state: "parked" } });
      for (const message of messages.filter(() => random() < 0.5)) {
        const number = numberOf(message);
        released.send(number);
        await queue.releaseMessage(message.position);
        prover.prove(number, released);
      }
    }
  } catch (error) {
    expectGone(error);
  }
}
