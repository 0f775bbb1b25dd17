import { expect, test } from "vitest";
import type { Posthorn, Queue, ReceivedMessage } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

const waitMs = 30_000;

/** The loop that most people build: what is rejected waits in a queue of its own, and comes back when it expires there. */
async function retryLoop(posthorn: Posthorn): Promise<{ work: Queue; wait: Queue }> {
  const work = await posthorn.queue("work").declare({ deadLetterQueue: "work.wait" });
  const wait = await posthorn
    .queue("work.wait")
    .declare({ messageTtl: waitMs, deadLetterExchange: "", deadLetterRoutingKey: "work" });
  return { work, wait };
}

/** Gives `count` messages to the handler of a consumer, and returns when it is through with them. */
async function handle(queue: Queue, count: number, handler: (message: ReceivedMessage) => void) {
  let handled = 0;
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const consumer = await queue.consume((message) => {
    handler(message);
    if (++handled === count) done();
  });
  await all;
  await consumer.cancel();
}

function counts({ deaths }: ReceivedMessage): [queue: string, reason: string, count: number][] {
  return deaths.map(({ queue, reason, count }) => [queue, reason, count]);
}

test("work, reject, wait, work: each message comes back as often as it is rejected, with right counts, also over restarts", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect, restart }) => {
      const begunAt = clock.now();
      const messages = 50;
      let { work, wait } = await retryLoop(await connect());
      for (let needs = 1; needs <= messages; needs++) await work.publish(`${needs}`);
      for (let round = 1; round <= messages; round++) {
        const order: number[] = [];
        await handle(work, messages - round + 1, (message) => {
          const needs = Number(message.text());
          order.push(needs);
          expect([message.attempts, message.redelivered]).toEqual([0, false]);
          expect(counts(message)).toEqual(
            round === 1
              ? []
              : [
                  ["work.wait", "expired", round - 1],
                  ["work", "rejected", round - 1],
                ],
          );
          // `time` is that of the first death of its kind.
          if (round > 1) expect(message.deaths.map(({ time }) => time - begunAt)).toEqual([waitMs, 0]);
          if (needs > round) message.reject({ reason: `round ${round}` });
        });
        expect(order).toEqual(Array.from({ length: messages - round + 1 }, (_, i) => round + i));
        expect((await work.status()).ready).toBe(0);
        expect((await wait.status()).ready).toBe(messages - round);
        if (round % 20 === 0) {
          await restart();
          clock.advance(0);
          ({ work, wait } = await retryLoop(await connect()));
        }
        clock.advance(waitMs);
      }
      for (const queue of [work, wait])
        expect(await queue.status()).toMatchObject({ ready: 0, unsettled: 0, delayed: 0, parked: 0 });
    },
    { clock, onDisk: true },
  );
});

test("a message that is never handled goes round thousands of times, and its history grows no further", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect }) => {
      const { work, wait } = await retryLoop(await connect());
      // How long it may live by itself counts until it first dies.
      await work.publish("for ever", { expiration: 2 * waitMs });
      const rounds = 2000;
      for (let round = 1; round <= rounds; round++) {
        (await work.get())!.reject({ reason: "no" });
        expect((await wait.check()).messageCount).toBe(1);
        clock.advance(waitMs);
      }
      const message = (await work.get())!;
      expect(counts(message)).toEqual([
        ["work.wait", "expired", rounds],
        ["work", "rejected", rounds],
      ]);
      expect(message.firstDeath).toEqual({ queue: "work", reason: "rejected", exchange: "" });
      expect(message.lastDeath).toMatchObject({ queue: "work.wait", reason: "expired" });
    },
    { clock },
  );
});

test("a poison message in the loop stops none of 10,000 others, and is set aside when the consumer says so", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const { work, wait } = await retryLoop(posthorn);
      const givenUp = await posthorn.queue("given-up").declare();
      const good = 10_000;
      const publishing: Promise<unknown>[] = [];
      for (let i = 0; i <= good; i++) {
        await posthorn.ready();
        publishing.push(work.publish(i === good / 2 ? "poison" : `${i}`));
      }
      await Promise.all(publishing);
      const handled = new Set<string>();
      let tries = 0;
      const moved: Promise<unknown>[] = [];
      const handler = (message: ReceivedMessage) => {
        if (message.text() !== "poison") handled.add(message.text());
        else if (++tries <= 5) message.reject();
        else moved.push(givenUp.publish(message.text(), { headers: { after: message.deaths[0]!.count } }));
      };
      await handle(work, good + 1, handler);
      expect(handled.size).toBe(good);
      while (moved.length === 0) {
        expect((await wait.check()).messageCount).toBe(1);
        clock.advance(waitMs);
        await handle(work, 1, handler);
      }
      await Promise.all(moved);
      expect((await givenUp.get())?.headers).toEqual({ after: 5 });
      for (const queue of [work, wait])
        expect(await queue.status()).toMatchObject({ ready: 0, unsettled: 0 });
    },
    { clock },
  );
});
