import type { CommitBuilder } from "./commit-builder.ts";
import type { Environment } from "./environment.ts";
import { messageKey, readMessageKey } from "./keys.ts";
import type { MessageRowState } from "./message-row-state.ts";
import { rewriteMessageRows } from "./rewriting.ts";
import type { RowCache } from "./row-cache.ts";
import type { StepBudget } from "./step-budget.ts";
import type { StoredRows } from "./stored-rows.ts";

const stepKeys = 1024;
const stepRows = 128;
const stepBytes = 512 * 1024;
/** Rows are merged up to this many bytes; */
const mergedBytes = 64 * 1024;
/** one with more than this is left alone. */
const smallRowBytes = 16 * 1024;
/** Nor is one of more messages than this looked at. */
const smallRowMessages = 256;
/** So many neighbours have to come together for it to be worth while. */
const leastMerged = 4;

/** Makes larger rows of messages of small ones, when enough of them have been written; and once after a start. */
export class MessageMerging {
  readonly #environment: Environment;
  readonly #rows: StoredRows;
  readonly #cache: RowCache;
  readonly #leastSmallRows: number;
  #smallRows = 0;
  #isScanning = true;
  /** Where to go on, or where to begin the next time. */
  #from = 0;

  constructor(environment: Environment, rows: StoredRows, cache: RowCache, leastSmallRows: number) {
    this.#environment = environment;
    this.#rows = rows;
    this.#cache = cache;
    this.#leastSmallRows = leastSmallRows;
  }

  /** A commit has been handed over. */
  noteCommit({ writtenMessageRows }: CommitBuilder): void {
    for (const { count, rowBytes } of writtenMessageRows) {
      const isSmall = rowBytes <= smallRowBytes && count <= smallRowMessages;
      if (isSmall && ++this.#smallRows >= this.#leastSmallRows) this.#isScanning = true;
    }
  }

  /** One step; false if there is nothing to do. */
  step(builder: CommitBuilder, flushedCommit: number, budget: StepBudget): boolean {
    if (!this.#isScanning) return false;
    const ids = this.#environment.keys("messages", messageKey(this.#from), stepKeys).map(readMessageKey);
    let group: MessageRowState[] = [];
    let groupBytes = 0;
    let bytes = 0;
    let rows = 0;
    let isMerged = false;
    const endGroup = () => {
      isMerged =
        group.length >= leastMerged && rewriteMessageRows(builder, group, this.#environment, this.#cache);
      group = [];
      groupBytes = 0;
    };
    let at = 0;
    for (; at < ids.length && rows < stepRows && bytes <= stepBytes; at++) {
      if (rows > 0 && budget.isSpent) break;
      this.#environment.endLongRead();
      const firstId = ids[at]!;
      // How many messages a row has at most is seen from the next key: large ones are not even read.
      const mostMessages = (ids[at + 1] ?? firstId + 1) - firstId;
      if (mostMessages > smallRowMessages) {
        endGroup();
        continue;
      }
      const row = this.#rows.messageRowAt(firstId);
      rows++;
      bytes += row?.rowBytes ?? 0;
      // What commits under way have changed is left for another time.
      const isLeft = row === undefined || row.commit > flushedCommit || row.rowBytes > smallRowBytes;
      if (isLeft || groupBytes + row.rowBytes > mergedBytes) endGroup();
      if (isLeft) continue;
      group.push(row);
      groupBytes += row.rowBytes;
    }
    const isEnd = at === ids.length && ids.length < stepKeys;
    // The last group may go on behind this step: the next one begins with what has become of it, if that leads any further.
    const first = groupBytes > smallRowBytes ? undefined : group[0]?.first;
    endGroup();
    if (first !== undefined && (isEnd || isMerged || first !== this.#from)) this.#from = first;
    else if (at > 0) this.#from = ids[at - 1]! + 1;
    if (isEnd) {
      this.#isScanning = false;
      this.#smallRows = 0;
    }
    return true;
  }
}
