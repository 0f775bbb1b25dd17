import { microtasks } from "../../support/embedded.ts";
import type { Bench } from "./bench.ts";
import { named } from "./message-text.ts";
import { inOrder, type ModelQueue } from "./model-queue.ts";
import { judgeConfirmed } from "./publishing.ts";

/** What is not on disk is lost, and nobody looks at the clock for a while. */
export async function crash(bench: Bench, downMs: number): Promise<void> {
  const { store, model } = bench;
  const { durable } = store;
  store.crash();
  bench.clock.stall(downMs);
  model.certainFrom = bench.lastNumber + 1;
  model.recover(durable);
  await bench.start();
  for (const queue of model.queues.values()) await adoptAttempts(bench, queue);
}

/** When everything is settled that was out. */
export async function stop(bench: Bench, downMs: number): Promise<void> {
  const { engine, store, model } = bench;
  let isStopping = true;
  const stopped = engine.stop().finally(() => {
    isStopping = false;
  });
  while (isStopping) {
    bench.turns.end();
    store.flush();
    await microtasks();
  }
  await stopped;
  judgeConfirmed(bench);
  bench.expect(bench.unconfirmed.size === 0, "it stopped without having confirmed everything");
  bench.clock.stall(downMs);
  model.recover(model.snapshot());
  await bench.start();
}

/** A message that came back in the same commit that wrote it has its attempts written by the next one. */
async function adoptAttempts(bench: Bench, queue: ModelQueue): Promise<void> {
  const messages = await bench.browse(queue);
  for (const [i, item] of inOrder(queue).entries()) {
    const attempts = messages[i]?.attempts ?? 0;
    const isRight = attempts <= item.attempts;
    bench.expect(isRight, `${named(item)} has ${attempts} attempts after a crash, not ${item.attempts}`);
    item.attempts = attempts;
  }
}
