import { MemoryStore } from "../../../server/embedded/store/memory-store.ts";
import type { Changes } from "../../../server/embedded/store/store.ts";

/** Notes with each commit what the model holds: every commit takes all that has changed, so that is what a crash leaves. */
export class SnapshotStore<S> extends MemoryStore {
  /** What the last commit on disk stands for. */
  durable: S;
  readonly #snapshot: () => S;
  /** Those of commits under way; `undefined` as long as the model has not caught up. */
  #underWay: (S | undefined)[] = [];

  constructor(snapshot: () => S) {
    super({ manualFlush: true });
    this.#snapshot = snapshot;
    this.durable = snapshot();
  }

  override commit(changes: Changes): Promise<void> {
    this.#underWay.push(undefined);
    return super.commit(changes);
  }

  /** The model is where the broker is: commits that were begun since they were the same the last time have it so. */
  note(): void {
    if (this.#underWay.at(-1) !== undefined || this.#underWay.length === 0) return;
    const present = this.#snapshot();
    this.#underWay = this.#underWay.map((snapshot) => snapshot ?? present);
  }

  override flush(commits = this.pendingCommits): void {
    this.note();
    const flushed = this.#underWay.splice(0, commits);
    this.durable = flushed.at(-1) ?? this.durable;
    super.flush(Math.min(commits, this.pendingCommits));
  }

  override crash(): void {
    this.#underWay = [];
    super.crash();
  }
}
