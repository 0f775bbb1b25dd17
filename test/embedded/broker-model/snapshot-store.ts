import { MemoryStore } from "../../../server/embedded/store/memory-store.ts";
import type { Changes } from "../../../server/embedded/store/store.ts";

/** Notes with each commit what the model holds: every commit takes all that has changed, so that is what a crash leaves. */
export class SnapshotStore<S> extends MemoryStore {
  /** What the last commit on disk stands for. */
  durable: S;
  readonly #snapshot: () => S;
  #underWay: S[] = [];

  constructor(snapshot: () => S) {
    super({ manualFlush: true });
    this.#snapshot = snapshot;
    this.durable = snapshot();
  }

  override commit(changes: Changes): Promise<void> {
    this.#underWay.push(this.#snapshot());
    return super.commit(changes);
  }

  override flush(commits = this.pendingCommits): void {
    const flushed = this.#underWay.splice(0, commits);
    this.durable = flushed.at(-1) ?? this.durable;
    super.flush(Math.min(commits, this.pendingCommits));
  }

  override crash(): void {
    this.#underWay = [];
    super.crash();
  }
}
