import type { Delivery } from "../../../server/engine/engine.ts";
import { subscribing } from "../../support/embedded.ts";
import { type Bench, type Consumer, type Held, type Holder, picked } from "./bench.ts";
import type { Command } from "./commands.ts";
import { match, owed, unexplained } from "./deliveries.ts";
import { named } from "./message-text.ts";
import { deliverable, type ModelQueue } from "./model-queue.ts";
import { retryDelay } from "./model-retry.ts";

type Settling = Pick<Extract<Command, { do: "settle" }>, "delay" | "reason"> & {
  readonly outcome: Extract<Command, { do: "settle" }>["outcome"] | "return";
};

export async function get(bench: Bench, queue: ModelQueue): Promise<void> {
  if (queue.arguments.singleActiveConsumer) return;
  const due = owed(queue);
  const sink = { expired: (deliveries: readonly Delivery[]) => bench.late.push(...deliveries) };
  const { delivery } = await bench.engine.get(queue.name, { noAck: false }, bench.me, sink);
  if (delivery === undefined) return bench.expect(due.length === 0, `"${queue.name}" gave nothing`);
  const item = match(bench, queue, delivery);
  if (item === undefined) throw new Error(unexplained(bench, queue, delivery));
  const isDue =
    queue.arguments.messageGroups === undefined ? item === due[0] : deliverable(queue).includes(item);
  bench.expect(isDue, `"${queue.name}" gave ${named(item)} instead of ${due.map(named)}`);
  bench.model.handOut(queue, item);
  bench.holders.push({ queue, consumer: undefined, held: [{ item, delivery, isSuspect: false }] });
}

export async function subscribe(
  bench: Bench,
  queue: ModelQueue,
  { prefetch, priority }: Extract<Command, { do: "subscribe" }>,
): Promise<void> {
  const consumer: Consumer = {
    prefetch,
    priority,
    subscription: undefined,
    isActive: false,
    isCancelled: false,
    mayBeFull: false,
  };
  const holder: Holder = { queue, consumer, held: [] };
  bench.holders.push(holder);
  consumer.subscription = await bench.engine.subscribe(
    queue.name,
    subscribing({ prefetch, priority }),
    bench.me,
    {
      hasRoom: () => true,
      deliver: (deliveries) => {
        bench.expect(!consumer.isCancelled, `a delivery from "${queue.name}" behind the end`);
        bench.expect(!queue.isPaused, `a delivery from "${queue.name}", which is paused`);
        for (const delivery of deliveries) bench.delivered.push({ holder, delivery });
      },
      expired: (deliveries) => bench.late.push(...deliveries),
      activeChanged: (isActive) => {
        consumer.isActive = isActive;
      },
      cancelled: (code) => {
        const isDue = code === "queue-deleted" && !bench.model.queues.has(queue.name);
        bench.expect(isDue, `a consumer of "${queue.name}" was cancelled: ${code}`);
        consumer.isCancelled = true;
      },
    },
  );
  consumer.subscription.resume();
}

export function settle(bench: Bench, command: Extract<Command, { do: "settle" }>): void {
  const holding = bench.holders.filter(({ held }) => held.length > 0);
  const holder = picked(holding, command.holder);
  if (holder === undefined) return;
  settleHeld(bench, holder, holder.held.slice(command.skip, command.skip + command.count), command);
}

export function cancel(holder: Holder | undefined): void {
  if (holder === undefined) return;
  const consumer = holder.consumer!;
  consumer.isCancelled = true;
  consumer.subscription!.cancel();
}

/** As when a connection is lost. */
export function leave(bench: Bench, holder: Holder | undefined): void {
  if (holder === undefined) return;
  if (holder.consumer?.isCancelled === false) cancel(holder);
  settleHeld(bench, holder, holder.held, { outcome: "return", delay: 0, reason: "" });
}

/** Lets happen in the model what is due, and compares what came back because it was not settled in time. */
export function passTime(bench: Bench): void {
  const due = new Set(bench.model.tick());
  for (const holder of bench.holders) {
    const late = holder.held.filter(({ delivery }) => bench.late.includes(delivery));
    for (const { item } of late)
      bench.expect(due.delete(item), `${named(item)} came back from a consumer too early`);
    leaveHolder(holder, late);
  }
  bench.expect(due.size === 0, `${[...due].map(named)} were not settled in time and did not come back`);
  bench.late = [];
}

function settleHeld(
  bench: Bench,
  holder: Holder,
  chosen: readonly Held[],
  { outcome, delay, reason }: Settling,
): void {
  const { queue, consumer } = holder;
  const { model } = bench;
  const isBlamed = outcome !== "return" || consumer === undefined || holder.held.length === 1;
  const said = reason === "" || outcome === "ack" || outcome === "release" ? undefined : reason;
  leaveHolder(holder, chosen);
  for (const { item } of chosen) {
    if (outcome === "ack") model.remove(queue, item);
    else if (outcome === "reject") model.reject(queue, item, said);
    else if (outcome === "requeue") {
      const wait = delay > 0 ? delay : retryDelay(queue, item.attempts + 1, bench.chance);
      model.giveBack(queue, item, { isAttempt: true, isBlamed, delay: wait, ...(said && { reason: said }) });
    } else
      model.giveBack(queue, item, {
        isAttempt: outcome === "return",
        isBlamed: isBlamed && outcome === "return",
      });
  }
  bench.engine.settle(
    chosen.map(({ delivery }) => delivery),
    outcome,
    {
      delay: outcome === "requeue" ? delay : 0,
      reason: said === undefined ? undefined : { code: said, message: `It was ${said}.` },
    },
  );
}

function leaveHolder(holder: Holder, gone: readonly Held[]): void {
  if (gone.length === 0) return;
  holder.held = holder.held.filter((held) => !gone.includes(held));
  if (holder.consumer !== undefined) holder.consumer.mayBeFull = false;
}
