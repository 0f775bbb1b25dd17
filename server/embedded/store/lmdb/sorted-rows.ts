/** Something that stands for all numbers from `first` to `last`. */
export interface Ranged {
  readonly first: number;
  readonly last: number;
}

/** Rows in order of `first`. */
export class SortedRows<Row extends Ranged> {
  readonly rows: Row[] = [];

  /** The row with the greatest `first` that is at most `number`. */
  floor(number: number): Row | undefined {
    return this.rows[this.#above(number) - 1];
  }

  /** Adds the row in place of one with the same `first`, which is returned. */
  set(row: Row): Row | undefined {
    const { rows } = this;
    const at = this.#above(row.first);
    const replaced = rows[at - 1];
    if (replaced !== undefined && replaced.first === row.first) {
      rows[at - 1] = row;
      return replaced;
    }
    if (at === rows.length) rows.push(row);
    else rows.splice(at, 0, row);
    return undefined;
  }

  /** Whether it was there. */
  remove(row: Row): boolean {
    const at = this.#above(row.first) - 1;
    if (this.rows[at] !== row) return false;
    if (at === 0) this.rows.shift();
    else this.rows.splice(at, 1);
    return true;
  }

  /** Index of the first row whose `first` is above `number`. */
  #above(number: number): number {
    const { rows } = this;
    let high = rows.length;
    // Most of what is asked for or added is at the end.
    if (high === 0 || rows[high - 1]!.first <= number) return high;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (rows[middle]!.first <= number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
