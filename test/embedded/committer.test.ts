import { expect, test } from "vitest";
import { Committer } from "../../server/embedded/committer.ts";
import { Message } from "../../server/embedded/message.ts";
import { Queue, type QueueHost } from "../../server/embedded/queue.ts";
import type { Changes, Store } from "../../server/embedded/store/store.ts";
import {
  envelope,
  ManualTurns,
  microtasks,
  queueHost,
  queueNamed,
  RecordingPublisher,
} from "../support/embedded.ts";

interface HeldCommit {
  readonly changes: Changes;
  /** The disk has done it. */
  readonly flushed: () => Promise<void>;
  readonly fails: (error: Error) => Promise<void>;
}

class Committing {
  readonly commits: HeldCommit[] = [];
  readonly turns = new ManualTurns();
  readonly publisher = new RecordingPublisher();
  readonly failures: unknown[] = [];
  readonly committer: Committer;
  readonly host: QueueHost;
  readonly queue: Queue;

  constructor(maxUncommittedBytes = 1000) {
    const store: Pick<Store, "commit"> = {
      commit: (changes) =>
        new Promise((resolve, reject) => {
          this.commits.push({
            changes,
            flushed() {
              resolve();
              return microtasks();
            },
            fails(error) {
              reject(error);
              return microtasks();
            },
          });
        }),
    };
    this.committer = new Committer({
      store: store as Store,
      defer: this.turns.defer,
      maxUncommittedBytes,
      onFailure: (error) => this.failures.push(error),
    });
    this.committer.continueFrom(7);
    this.host = queueHost({ changed: (lane) => this.committer.changed(lane) });
    this.queue = new Queue(1, queueNamed("q"), undefined, this.host);
  }

  publish(number: number, bytes = 10): void {
    const message = new Message(envelope("x".repeat(bytes)), bytes, true, 0);
    this.queue.enqueue(message, -1);
    this.committer.write(message);
    this.committer.confirm(this.publisher, number);
  }

  consume(): void {
    this.queue.finish(this.queue.take(undefined)!);
  }

  /** Publishes and ends the turn, once for each number. */
  publishInTurns(...numbers: number[]): void {
    for (const number of numbers) {
      this.publish(number);
      this.turns.end();
    }
  }
}

test("all that changes in one turn is one commit, built when the turn ends", () => {
  const committing = new Committing();
  for (const number of [1, 2, 3]) committing.publish(number);
  const { commits, turns } = committing;
  expect(commits).toHaveLength(0);
  turns.endAll();
  expect(commits).toHaveLength(1);
  expect(commits[0]!.changes.messages.map(({ id }) => id)).toEqual([7, 8, 9]);
  expect(commits[0]!.changes.queues[0]).toMatchObject({
    queue: 1,
    counters: { nextSeq: 4, messages: 3, bytes: 30 },
    settled: [],
  });
});

test("a run of publishes is confirmed as one range, each publisher for itself", async () => {
  const committing = new Committing();
  const other = new RecordingPublisher();
  committing.publish(1);
  committing.publish(2);
  committing.committer.confirm(other, 3);
  committing.publish(3);
  committing.publish(5);
  committing.turns.endAll();
  await committing.commits[0]!.flushed();
  expect(committing.publisher.ranges).toEqual([
    [1, 2],
    [3, 3],
    [5, 5],
  ]);
  expect(other.ranges).toEqual([[3, 3]]);
});

test("one commit is under way, and the next takes all that has piled up meanwhile", async () => {
  const committing = new Committing();
  const { commits, turns } = committing;
  committing.publishInTurns(1, 2, 3);
  expect(commits).toHaveLength(1);
  expect(turns.pending).toBe(0);
  await commits[0]!.flushed();
  expect(committing.publisher.confirmedNumbers).toEqual([1]);
  committing.publish(4);
  turns.endAll();
  expect(commits).toHaveLength(2);
  expect(commits[1]!.changes.messages).toHaveLength(3);
});

test("a publish in answer to a confirm does not make the next commit be built twice", async () => {
  const committing = new Committing();
  const { commits, turns, publisher } = committing;
  committing.publishInTurns(1, 2);
  const record = publisher.confirmed.bind(publisher);
  publisher.confirmed = (first, last) => {
    record(first, last);
    committing.publish(5);
  };
  await commits[0]!.flushed();
  expect(turns.pending).toBe(1);
});

test("a requeue noted while a commit is built goes into the next one", async () => {
  const committing = new Committing();
  const { commits, queue, turns } = committing;
  committing.publish(1);
  queue.putBack(queue.take(undefined)!, "requeue");
  turns.endAll();
  await commits[0]!.flushed();
  turns.endAll();
  expect(commits.map(({ changes }) => changes.queues[0]!.attempted.map(({ attempts }) => attempts))).toEqual([
    [],
    [1],
  ]);
});

test("what is consumed before it is written makes no commit, and its publisher is told at once", () => {
  const committing = new Committing();
  committing.publish(1);
  committing.consume();
  committing.turns.endAll();
  expect(committing.commits).toHaveLength(0);
  expect(committing.publisher.confirmedNumbers).toEqual([1]);
  expect(committing.committer.isIdle).toBe(true);
});

test("a message that is in another queue still is written, although the first is done with it", () => {
  const committing = new Committing();
  const second = new Queue(2, queueNamed("second"), undefined, committing.host);
  const message = new Message(envelope("x"), 1, true, 0);
  committing.queue.enqueue(message, -1);
  second.enqueue(message, -1);
  committing.committer.write(message);
  committing.consume();
  committing.turns.endAll();
  const { messages, queues } = committing.commits[0]!.changes;
  expect(messages).toHaveLength(1);
  expect(queues.map(({ queue, appended }) => [queue, appended.length])).toEqual([[2, 1]]);
});

test("who waits, waits for all that was noted before, also when there is nothing left to write", async () => {
  const committing = new Committing();
  committing.publish(1);
  committing.turns.endAll();
  const resolved: string[] = [];
  void committing.committer.flushed().then(() => resolved.push("flushed"));
  void committing.committer.idle().then(() => resolved.push("idle"));
  committing.turns.endAll();
  await microtasks();
  expect(committing.commits).toHaveLength(1);
  expect(resolved).toEqual([]);
  await committing.commits[0]!.flushed();
  committing.turns.endAll();
  await microtasks();
  expect(committing.commits).toHaveLength(1);
  expect(resolved).toEqual(["flushed", "idle"]);
});

test("records are written in the order in which they were made, with what was noted before", async () => {
  const committing = new Committing();
  committing.publish(1);
  const recorded = committing.committer.record([
    { key: "queue/a", value: null },
    { key: "queue/a", value: 1 },
  ]);
  const later = committing.committer.record([{ key: "queue/a", value: 2 }]);
  committing.turns.endAll();
  expect(committing.commits).toHaveLength(1);
  expect(committing.commits[0]!.changes.records.map(({ value }) => value)).toEqual([null, 1, 2]);
  await committing.commits[0]!.flushed();
  await Promise.all([recorded, later]);
});

test("congestion begins above the limit and ends at half of it", async () => {
  const committing = new Committing(100);
  let reliefs = 0;
  committing.committer.onRelief(() => reliefs++);
  for (const [number, bytes] of [
    [1, 30],
    [2, 40],
    [3, 40],
  ] as const) {
    expect(committing.committer.congested).toBe(false);
    committing.publish(number, bytes);
    committing.turns.end();
  }
  expect(committing.committer.congested).toBe(true);
  await committing.commits[0]!.flushed();
  expect(committing.committer.congested).toBe(true);
  committing.publish(4, 10);
  committing.turns.end();
  expect(reliefs).toBe(0);
  await committing.commits[1]!.flushed();
  expect(committing.committer.congested).toBe(false);
  expect(reliefs).toBe(1);
});

test("after a failed commit nothing is confirmed any more, and it is reported once", async () => {
  const committing = new Committing();
  const { commits, committer, turns } = committing;
  committing.publishInTurns(1, 2);
  const idle = expect(committer.idle()).rejects.toThrow("no space");
  await commits[0]!.flushed();
  turns.endAll();
  await commits[1]!.fails(new Error("no space"));
  await idle;
  committing.publish(4);
  let isFlushed = false;
  void committer.flushed().then(() => {
    isFlushed = true;
  });
  turns.endAll();
  await microtasks();
  expect(commits).toHaveLength(2);
  expect(committing.publisher.confirmedNumbers).toEqual([1]);
  expect(isFlushed).toBe(false);
  expect(committing.failures).toEqual([new Error("no space")]);
  await expect(committer.idle()).rejects.toThrow("no space");
});
