import { type Bench, picked } from "./bench.ts";
import type { Command } from "./commands.ts";
import { type ModelItem, type ModelQueue, ready } from "./model-queue.ts";

export function pause(bench: Bench, queue: ModelQueue, isPaused: boolean): void {
  const { engine, me } = bench;
  queue.isPaused = isPaused;
  bench.note(isPaused ? engine.pauseQueue(queue.name, me) : engine.resumeQueue(queue.name, me));
}

export function purge(bench: Bench, queue: ModelQueue): void {
  const due = bench.model.purge(queue);
  bench.noteResult(bench.engine.purgeQueue(queue.name, bench.me), due, "purging");
}

/** One is always left. */
export function deleteQueue(bench: Bench, queue: ModelQueue, ifEmpty: boolean): void {
  const { model, engine, me } = bench;
  if (model.queues.size === 1) return;
  const isEmpty = queue.items.every(({ state }) => state === "unsettled");
  const isRefused = ifEmpty && !isEmpty;
  const count = ready(queue).length;
  if (!isRefused) model.delete(queue);
  const deleting = engine.deleteQueue(queue.name, { ifUnused: false, ifEmpty }, me);
  if (isRefused) bench.noteOutcome(deleting, "precondition-failed", "deleting a queue that is not empty");
  else bench.noteResult(deleting, count, "deleting a queue");
}

/** Declares one that is not there. */
export function declareQueue(bench: Bench, at: number): void {
  const missing = bench.topology.queues.filter(({ name }) => !bench.model.queues.has(name));
  const queue = picked(missing, at);
  if (queue === undefined) return;
  bench.model.declare(queue.name);
  bench.declareQueue(queue.name);
}

export async function deleteMessage(bench: Bench, queue: ModelQueue, at: number): Promise<void> {
  const place = await bench.place(queue, (items) => picked(items, at));
  if (place === undefined) return;
  const { item, position } = place;
  const isOut = item.state === "unsettled";
  if (!isOut) bench.model.remove(queue, item);
  const deleting = bench.engine.deleteMessage(queue.name, position, bench.me);
  bench.noteOutcome(deleting, isOut ? "precondition-failed" : undefined, "deleting a message");
}

/** `isAside`: one that is delayed or parked, so that there is something to do. */
export async function releaseMessage(
  bench: Bench,
  queue: ModelQueue,
  { at, isAside: onlyAside }: Extract<Command, { do: "release-message" }>,
): Promise<void> {
  const place = await bench.place(queue, (items) => picked(onlyAside ? items.filter(isSetAside) : items, at));
  if (place === undefined) return;
  const { item, position } = place;
  const isThere = isSetAside(item);
  if (isThere) bench.model.release(queue, item);
  const releasing = bench.engine.releaseMessage(queue.name, position, bench.me);
  bench.noteOutcome(releasing, isThere ? undefined : "precondition-failed", "releasing a message");
}

export function releaseMessages(
  bench: Bench,
  queue: ModelQueue,
  { state, limit }: Extract<Command, { do: "release-messages" }>,
): void {
  const due = bench.model.releaseAll(queue, state, limit);
  const releasing = bench.engine.releaseMessages(
    queue.name,
    { filter: { state }, limit, cursor: undefined },
    bench.me,
  );
  bench.noteResult(
    releasing.then(({ released }) => released),
    due,
    "releasing messages",
  );
}

export function redrive(bench: Bench, command: Extract<Command, { do: "redrive" }>): void {
  const { mode, state, limit } = command;
  const source = bench.queue(command.queue);
  const names = bench.topology.queues.map(({ name }) => name).filter((name) => name !== source.name);
  const to = picked([undefined, ...names], command.to);
  const due = bench.model.redrive(source, to, command);
  const filter = state === "ready" ? {} : { state };
  const others = { dryRun: false, ratePerSecond: undefined, cursor: undefined };
  const redriving = bench.engine.redrive(source.name, { to, filter, mode, limit, ...others }, bench.me);
  if (due === undefined) bench.noteOutcome(redriving, "not-found", "redriving to nowhere");
  else {
    const count = redriving.then(({ redriven }) => redriven);
    bench.noteResult(count, due, "redriving");
  }
}

export function setPolicy(bench: Bench, { arguments: args }: Extract<Command, { do: "policy" }>): void {
  bench.model.policy = args;
  if (args === undefined) {
    bench.note(bench.engine.deletePolicy("p"));
    return;
  }
  const scope = { name: "p", pattern: "q*", appliesTo: "queues", priority: 0 } as const;
  bench.note(bench.engine.setPolicy({ ...scope, arguments: { ...args } }));
}

function isSetAside({ state }: ModelItem): boolean {
  return state === "delayed" || state === "parked";
}
