import type { Bench, Consumer, Holder } from "./bench.ts";
import { owed } from "./deliveries.ts";
import { judgeLimits } from "./limits-judge.ts";
import { named, nameOf } from "./message-text.ts";
import {
  bytesOf,
  inOrder,
  isSuspect,
  type ModelItem,
  type ModelQueue,
  newMoment,
  ready,
} from "./model-queue.ts";

/** Nothing more happens without time passing: broker and model must agree on everything. */
export async function judgeMoment(bench: Bench): Promise<void> {
  for (const queue of bench.model.queues.values()) {
    judgeConsumers(bench, queue);
    judgeActive(bench, queue);
    judgeLimits(bench, queue);
    await judgeContents(bench, queue);
  }
  bench.throwProblems();
  for (const queue of bench.model.queues.values()) queue.moment = newMoment();
}

/** Nobody has too much, nobody with room was left out, and those of a higher priority come first. */
function judgeConsumers(bench: Bench, queue: ModelQueue): void {
  const consumers = bench.consumersOf(queue);
  const hasSuspect = queue.items.some(
    (item) => (item.state === "ready" || item.state === "unsettled") && isSuspect(queue, item),
  );
  for (const { consumer, held } of consumers)
    if (held.length === 0) consumer.mayBeFull = false;
    else consumer.mayBeFull ||= hasSuspect;
  for (const holder of consumers) {
    const { consumer, held } = holder;
    const { prefetch, isActive } = consumer;
    bench.expect(held.length <= prefetch, `a consumer of "${queue.name}" has ${held.length} messages`);
    bench.expect(
      held.length <= 1 || !held.some((one) => one.isSuspect),
      `a consumer of "${queue.name}" has others besides one that was to come alone`,
    );
    const hasGot = held.some(({ item }) => queue.moment.taken.has(item));
    if (queue.arguments.singleActiveConsumer === true && !isActive) {
      bench.expect(!hasGot, `a consumer of "${queue.name}" that is not active got messages`);
      continue;
    }
    if (hasRoom(holder) && !consumer.mayBeFull) {
      const left = owed(queue).map(named);
      bench.expect(left.length === 0, `"${queue.name}" did not deliver ${left} to a consumer with room`);
    }
    if (hasGot) judgeRank(bench, queue, consumer);
  }
}

function judgeRank(bench: Bench, queue: ModelQueue, { priority }: Consumer): void {
  const { messageGroups, singleActiveConsumer } = queue.arguments;
  if (messageGroups !== undefined || singleActiveConsumer === true) return;
  const passedOver = bench
    .consumersOf(queue)
    .some((other) => other.consumer.priority > priority && hasRoom(other) && !other.consumer.mayBeFull);
  bench.expect(!passedOver, `a consumer of "${queue.name}" of higher priority was passed over`);
}

function hasRoom({ consumer, held }: Holder & { readonly consumer: Consumer }): boolean {
  return held.length < consumer.prefetch;
}

function judgeActive(bench: Bench, queue: ModelQueue): void {
  if (queue.arguments.singleActiveConsumer !== true) return;
  const consumers = bench.consumersOf(queue);
  const active = consumers.filter(({ consumer }) => consumer.isActive);
  const isWaiting = consumers.some(({ consumer, held }) => !consumer.isActive && held.length > 0);
  const isRight = active.length === 1 || (active.length === 0 && (isWaiting || consumers.length === 0));
  bench.expect(isRight, `"${queue.name}" has ${active.length} active consumers`);
}

/** Each message is in exactly one state, with everything that is known about it; and the counters say the same. */
async function judgeContents(bench: Bench, queue: ModelQueue): Promise<void> {
  const { name } = queue;
  const says = (await bench.browse(queue)).map(
    ({ state, attempts, redelivered, expiresAt, delayedUntil, ...message }) =>
      `${bench.facts({ name: nameOf(message), attempts, redelivered })} ${state} ${expiryText(expiresAt)} ${delayedUntil}`,
  );
  const due = inOrder(queue).map(
    (item) => `${bench.factsOf(item)} ${item.state} ${expiryOf(item)} ${item.delayedUntil}`,
  );
  bench.expectEqual(`"${name}" holds`, says.join("\n  "), due.join("\n  "));
  const report = await bench.engine.inspectQueue(name, bench.me);
  const count = (state: ModelItem["state"]) => queue.items.filter((item) => item.state === state).length;
  bench.expectEqual(
    `"${name}" counts`,
    `${report.ready} ready (${report.readyBytes} bytes), ${report.unsettled} unsettled, ${report.delayed} delayed, ${report.parked} parked, ${report.consumers} consumers, paused ${report.paused}`,
    `${count("ready")} ready (${bytesOf(ready(queue))} bytes), ${count("unsettled")} unsettled, ${count("delayed")} delayed, ${count("parked")} parked, ${bench.consumersOf(queue).length} consumers, paused ${queue.isPaused}`,
  );
}

function expiryOf({ dueAt, isImmediate }: ModelItem): string {
  if (dueAt === Number.POSITIVE_INFINITY) return "for ever";
  return isImmediate ? "at once" : `until ${dueAt}`;
}

/** Times long ago stand for those that were to be taken at once. */
function expiryText(expiresAt: number): string {
  if (expiresAt === 0) return "for ever";
  return expiresAt < 1000 ? "at once" : `until ${expiresAt}`;
}
