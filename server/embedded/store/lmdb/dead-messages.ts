/** A row of messages in which some are no longer referred to. */
interface DeadRow {
  readonly firstId: number;
  readonly deadBytes: number;
  readonly level: number;
  /** The last commit that took a reference from it, */
  readonly commit: number;
  /** and when that was. */
  readonly touchedAt: number;
}

/** The dead part of a row, in sixths. */
export const deadLevels = 6;
/** Rows with a smaller dead part are not worth being written again, or followed. */
const leastLevel = 2;
/** Nor are such small ones. */
const leastRowBytes = 8 * 1024;

/** How many bytes of messages that nobody refers to lie in which rows, as far as there is a good part of them in a row. */
export class DeadMessages {
  readonly #rows = new Map<number, DeadRow>();
  /** By level: first id → row, the one that was touched longest ago first. */
  readonly #levels: readonly Map<number, DeadRow>[] = Array.from({ length: deadLevels }, () => new Map());
  #bytes = 0;

  /** Of all rows that are followed. */
  get bytes(): number {
    return this.#bytes;
  }

  note(firstId: number, rowBytes: number, deadBytes: number, commit: number, touchedAt: number): void {
    this.forget(firstId);
    const level = Math.min(deadLevels - 1, Math.floor((deadLevels * deadBytes) / rowBytes));
    if (level < leastLevel || rowBytes < leastRowBytes) return;
    const row = { firstId, deadBytes, level, commit, touchedAt };
    this.#rows.set(firstId, row);
    this.#levels[level]!.set(firstId, row);
    this.#bytes += deadBytes;
  }

  has(firstId: number): boolean {
    return this.#rows.has(firstId);
  }

  forget(firstId: number): void {
    const row = this.#rows.get(firstId);
    if (row === undefined) return;
    this.#rows.delete(firstId);
    this.#levels[row.level]!.delete(firstId);
    this.#bytes -= row.deadBytes;
  }

  /**
   * The row to be written again next: of the ones that are left alone for longest in their level, one of the highest level
   * that is ready.
   */
  next(lowestLevel: number, isReady: (row: DeadRow) => boolean): number | undefined {
    for (let level = deadLevels - 1; level >= lowestLevel; level--) {
      for (const [firstId, row] of this.#levels[level] ?? []) {
        if (isReady(row)) return firstId;
        break;
      }
    }
    return undefined;
  }
}
