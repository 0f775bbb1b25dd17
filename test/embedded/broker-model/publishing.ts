import type { ErrorCode } from "../../../protocol/errors.ts";
import type { PublishSink } from "../../../server/engine/engine.ts";
import { publication } from "../../support/embedded.ts";
import { type Bench, picked } from "./bench.ts";
import type { Command } from "./commands.ts";
import { judgeServed } from "./deliveries.ts";
import { envelopeOf, headersOf, idOf } from "./message-text.ts";
import { isFull, type ModelMessage, type ModelQueue, ready } from "./model-queue.ts";

type Publishing = Extract<Command, { do: "publish" }>;

export async function publish(bench: Bench, command: Publishing): Promise<void> {
  const { to, keys, group, persistent, bytes, priority, expiration } = command;
  const exchange = picked(["", ...bench.topology.exchanges.map(({ name }) => name)], to)!;
  for (let i = 0; i < command.count; i++) {
    const id = ++bench.lastNumber;
    const message = { id, exchange, keys, group, persistent, bytes, priority, expiration };
    const said = callPublish(bench, message);
    judgeServed(bench);
    const queues = await destinations(bench, message, said !== undefined);
    const taking = queues.filter(({ isRefusing }) => !isRefusing).map(({ queue }) => queue);
    const refusal = taking.length < queues.length ? "queue-full" : undefined;
    bench.expectEqual(`${id} was refused`, `${said}`, `${refusal}`);
    const added = taking.map((queue) => ({ queue, item: bench.model.publish(message, queue) }));
    if (refusal === undefined) bench.unconfirmed.set(id, added);
  }
}

function callPublish(bench: Bench, message: ModelMessage): ErrorCode | undefined {
  const { id, exchange, keys, persistent, bytes, priority, expiration } = message;
  const [routingKey, ...copyKeys] = keys as [string, ...string[]];
  const headers = headersOf(message);
  let refusal: ErrorCode | undefined;
  bench.engine.publish(
    publication(id, routingKey, "", {
      exchange,
      copyKeys,
      persistent,
      priority,
      expiration,
      envelope: envelopeOf(message),
      bodyBytes: bytes,
      headers: () => headers,
    }),
    publisher(bench, id, (code) => {
      refusal = code;
    }),
  );
  return refusal;
}

function publisher(bench: Bench, publishing: number, refuse: (code: ErrorCode) => void): PublishSink {
  const { engine } = bench;
  return {
    confirmed: (first, last) => {
      bench.expect(engine === bench.engine, `an engine that has crashed confirmed ${first} to ${last}`);
      for (let id = first; id <= last; id++) {
        const isFirst = !bench.confirmed.includes(id) && (id === publishing || bench.unconfirmed.has(id));
        bench.expect(isFirst, `${id} was confirmed, and had its answer before`);
        bench.confirmed.push(id);
      }
    },
    refused: (_id, code) => refuse(code),
    returned: (id) => bench.expect(false, `${id} was returned`),
  };
}

/** What is confirmed is on disk, or done with. */
export function judgeConfirmed(bench: Bench): void {
  for (const id of bench.confirmed.splice(0)) {
    for (const { queue, item } of bench.unconfirmed.get(id)!) {
      if (item.isGone || !item.message.persistent || !queue.durable) continue;
      const isOnDisk = bench.store.durable.queues.get(queue.name)?.items.some((kept) => kept.item === item);
      bench.expect(isOnDisk === true, `${id} was confirmed and is not on disk in "${queue.name}"`);
    }
    bench.unconfirmed.delete(id);
  }
}

/** The queues of a message that was just published, and which have refused it. Where that is not certain, the broker is asked. */
async function destinations(
  bench: Bench,
  message: ModelMessage,
  isRefused: boolean,
): Promise<{ readonly queue: ModelQueue; readonly isRefusing: boolean }[]> {
  const possibilities = bench.model
    .destinations(message)
    .map((queues) => queues.map((queue) => ({ queue, isRefusing: refuses(bench, queue, message.bytes) })));
  const [only] = possibilities;
  if (possibilities.length === 1 && only!.every(({ isRefusing }) => isRefusing !== undefined))
    return only as { queue: ModelQueue; isRefusing: boolean }[];
  const holding = new Set<ModelQueue>();
  for (const queue of bench.model.queues.values()) {
    const messages = await bench.browse(queue);
    // What was there before with this number cannot be: it is new.
    if (messages.some(({ envelope }) => idOf(envelope) === message.id)) holding.add(queue);
  }
  const found = possibilities.find(
    (queues) =>
      [...holding].every((queue) => queues.some((one) => one.queue === queue)) &&
      queues.every(
        ({ queue, isRefusing }) => isRefusing === undefined || isRefusing !== holding.has(queue),
      ) &&
      queues.some(({ queue }) => !holding.has(queue)) === isRefused,
  );
  bench.expect(found !== undefined, `${message.id} went to ${[...holding].map(({ name }) => name)}`);
  return (found ?? []).map(({ queue }) => ({ queue, isRefusing: !holding.has(queue) }));
}

/** Whether a queue has no place for a message; `undefined`: that is not certain. */
function refuses(bench: Bench, queue: ModelQueue, bytes: number): boolean | undefined {
  if (!isFull(queue, bytes)) return false;
  if (ready(queue).length > 0 || queue.isPaused) return true;
  const isSingle = queue.arguments.singleActiveConsumer === true;
  const takers = bench
    .consumersOf(queue)
    .filter(({ consumer, held }) => (!isSingle || consumer.isActive) && held.length < consumer.prefetch);
  if (takers.length === 0) return true;
  return takers.every(({ consumer }) => consumer.mayBeFull) ? undefined : false;
}
