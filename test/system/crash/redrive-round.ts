import { connect, type Posthorn, type Queue } from "../../../client/index.ts";
import { startBrokerProcess } from "../../support/broker-process.ts";
import { numberOf } from "./consumers.ts";
import { expectGone } from "./gone.ts";

export interface RedriveRoundOptions {
  readonly dataDir: string;
  /** 0 ≤ x < 1; decides how much there is and when the broker is killed. */
  readonly random: () => number;
}

export interface RedriveRoundResult {
  readonly messages: number;
  /** Of those, how many were back in the queue that failed after the kill. */
  readonly moved: number;
  readonly problems: readonly string[];
}

/**
 * Fills a dead-letter queue, redrives it, kills the broker in the middle of that, starts it again, looks where each message is, and
 * has the rest redriven.
 */
export async function redriveRound({ dataDir, random }: RedriveRoundOptions): Promise<RedriveRoundResult> {
  const flags = ["--data-dir", dataDir, "--port", "0", "--log-level", "info"];
  const messages = 1000 + Math.floor(random() * 2000);
  const killed = await startBrokerProcess(flags);
  const before = await connect(killed.url, { reconnect: false });
  const dead = await fill(before, messages);
  const killAfter = Math.floor(random() * messages);
  const killAfterMs = random() * 4;
  await new Promise<void>((resolve) => {
    const redriving = dead.redrive({
      onProgress: ({ redriven }) => {
        if (redriven >= killAfter) setTimeout(resolve, killAfterMs);
      },
    });
    redriving.catch(expectGone);
  });
  await killed.kill();

  const broker = await startBrokerProcess(flags);
  const posthorn = await connect(broker.url);
  const queues = queuesOf(posthorn);
  const moved = await numbersIn(queues.work);
  const left = await numbersIn(queues.dead);
  const problems = [
    // The first go first, so that nothing is in both, in none, or out of order if these are all.
    ...differences("after the kill", [...moved, ...left], messages),
    ...(await brokenHistories(queues.work)).map((number) => `message ${number} has lost its history`),
  ];
  const { redriven } = await queues.dead.redrive();
  if (redriven !== left.length) problems.push(`${redriven} of ${left.length} redriven that were left`);
  problems.push(...differences("in the end", await numbersIn(queues.work), messages));
  for (const queue of Object.values(queues)) await queue.delete();
  await posthorn.close();
  const exitCode = await broker.stop();
  if (exitCode !== 0) problems.push(`the broker ended with ${exitCode}`);
  return { messages, moved: moved.length, problems };
}

function queuesOf(posthorn: Posthorn): { work: Queue; dead: Queue } {
  return { work: posthorn.queue("redrive.work"), dead: posthorn.queue("redrive.dead") };
}

/** Returns the dead-letter queue, with so many messages in it. */
async function fill(posthorn: Posthorn, messages: number): Promise<Queue> {
  const { work, dead } = queuesOf(posthorn);
  await dead.declare();
  await work.declare({ deadLetterQueue: dead.name });
  const publishing = Array.from({ length: messages }, (_, i) => work.publish(`${i} ${"x".repeat(i % 300)}`));
  await Promise.all(publishing);
  let rejected = 0;
  for await (const message of work.consume({ prefetch: 1000 })) {
    message.reject();
    if (++rejected === messages) break;
  }
  while ((await dead.status()).ready < messages);
  return dead;
}

async function numbersIn(queue: Queue): Promise<number[]> {
  const numbers: number[] = [];
  for await (const message of queue.browse()) numbers.push(numberOf(message));
  return numbers;
}

async function brokenHistories(queue: Queue): Promise<number[]> {
  const numbers: number[] = [];
  for await (const message of queue.browse())
    if (message.lastDeath?.reason !== "rejected" || message.attempts !== 0) numbers.push(numberOf(message));
  return numbers;
}

/** How the numbers differ from 0, 1, 2, …, in words. */
function differences(when: string, numbers: readonly number[], messages: number): string[] {
  const first = Array.from({ length: messages }, (_, i) => i).find((i) => numbers[i] !== i);
  if (first === undefined && numbers.length === messages) return [];
  return [`${when}: ${numbers.length} of ${messages} messages, message ${first} is not where it should be`];
}
