import { PosthornError } from "../../protocol/errors.ts";
import type {
  BrowseOptions,
  BrowsePage,
  Owner,
  RedriveOptions,
  RedriveResult,
  ReleaseOptions,
  ReleaseResult,
} from "../engine/engine.ts";
import { browse } from "./browsing.ts";
import type { Committer } from "./committer.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Overload } from "./overload.ts";
import type { Queue } from "./queue.ts";
import { entryAt } from "./queue-positions.ts";
import { type RedriveHost, redrive } from "./redriving.ts";
import { release } from "./releasing.ts";
import { StoreError } from "./store/store.ts";
import type { Topology } from "./topology.ts";

export interface QueueContentsHost {
  readonly now: () => number;
  readonly deadlines: Pick<Deadlines, "create">;
  readonly topology: Pick<Topology, "queue" | "queueFor">;
  readonly committer: Pick<Committer, "flushed">;
  readonly overload: Pick<Overload, "blocked">;
  readonly added: RedriveHost["added"];
}

/** Redriving at a rate is done in steps of no more than this: nobody waits longer to see how it goes, or to stop it. */
const longestStepSeconds = 0.25;

/** Looks at the messages in queues, and deletes, releases and moves some of them, for who does not consume. */
export class QueueContents {
  readonly #host: QueueContentsHost;

  constructor(host: QueueContentsHost) {
    this.#host = host;
  }

  browse(queue: Queue, options: BrowseOptions): BrowsePage {
    return reading(queue, () => browse(queue, options));
  }

  async deleteMessage(queue: Queue, position: string): Promise<void> {
    const entry = reading(queue, () => entryAt(queue, position));
    if (entry.state === "unsettled") {
      const message = "A consumer has the message: it can be deleted when it has come back.";
      throw new PosthornError("precondition-failed", message, {
        queue: queue.name,
        position,
        state: entry.state,
      });
    }
    queue.deleteFound(entry);
    if (entry.durable) await this.#host.committer.flushed();
  }

  async releaseMessage(queue: Queue, position: string): Promise<void> {
    const entry = reading(queue, () => entryAt(queue, position));
    if (entry.state !== "parked" && entry.state !== "delayed") {
      const message = "The message is neither parked nor delayed.";
      throw new PosthornError("precondition-failed", message, {
        queue: queue.name,
        position,
        state: entry.state,
      });
    }
    queue.releaseAside(entry);
    if (entry.durable) await this.#host.committer.flushed();
  }

  async releaseMessages(queue: Queue, options: ReleaseOptions): Promise<ReleaseResult> {
    const result = reading(queue, () => release(queue, options));
    if (queue.durable && result.released > 0) await this.#host.committer.flushed();
    return result;
  }

  async redrive(source: Queue, options: RedriveOptions, owner: Owner): Promise<RedriveResult> {
    const { to, dryRun, ratePerSecond } = options;
    if (to === source.name) {
      throw new PosthornError("invalid-argument", "A queue cannot be redriven to itself.", {
        field: "to",
        queue: to,
      });
    }
    if (to !== undefined) this.#host.topology.queue(to, owner);
    const { blocked } = this.#host.overload;
    if (blocked !== undefined && !dryRun) throw new PosthornError(blocked.code, blocked.message);
    const limit = Math.min(
      options.limit,
      Math.max(1, Math.floor((ratePerSecond ?? Infinity) * longestStepSeconds)),
    );
    const begunAt = this.#host.now();
    const host = {
      findQueue: (queue: string) => this.#host.topology.queueFor(queue, owner),
      added: this.#host.added,
    };
    const result = reading(source, () => redrive(source, { ...options, limit }, host));
    if (dryRun || result.redriven === 0) return result;
    await this.#host.committer.flushed();
    if (ratePerSecond !== undefined) await this.#until(begunAt + (1000 * result.redriven) / ratePerSecond);
    return result;
  }

  /** Resolves when it is that late; never if the engine is stopped before. */
  #until(dueAt: number): Promise<void> {
    return new Promise((resolve) => this.#host.deadlines.create(resolve).set(dueAt));
  }
}

/** Reads from a queue for somebody to whom damage is an error like others. */
function reading<Result>(queue: Queue, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new PosthornError("internal-error", `Queue ${JSON.stringify(queue.name)} is damaged.`, {
      queue: queue.name,
    });
  }
}
