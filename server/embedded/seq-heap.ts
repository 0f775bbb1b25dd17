const initialSlots = 64;

/** Positions in a queue by the time at which something is due there, the earliest first: 16 bytes each. */
export class SeqHeap {
  #dueAt = new Float64Array(initialSlots);
  #seqs = new Float64Array(initialSlots);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** When the first is due; `Infinity` if there is none. */
  get firstDueAt(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#dueAt[0]!;
  }

  add(dueAt: number, seq: number): void {
    if (this.#size === this.#seqs.length) this.#resize(2 * this.#size);
    this.#rise(this.#size++, dueAt, seq);
  }

  /** Removes the first, and returns its position. There must be one. */
  take(): number {
    const seq = this.#seqs[0]!;
    const last = --this.#size;
    if (last > 0) this.#sink(0, this.#dueAt[last]!, this.#seqs[last]!);
    this.#shrink();
    return seq;
  }

  /** Forgets those that do not fit. */
  keep(fits: (seq: number) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.#size; i++) {
      if (!fits(this.#seqs[i]!)) continue;
      this.#dueAt[kept] = this.#dueAt[i]!;
      this.#seqs[kept++] = this.#seqs[i]!;
    }
    this.#size = kept;
    for (let at = (kept >> 1) - 1; at >= 0; at--) this.#sink(at, this.#dueAt[at]!, this.#seqs[at]!);
    this.#shrink();
  }

  #rise(from: number, dueAt: number, seq: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(this.#dueAt[parent]!, this.#seqs[parent]!, dueAt, seq)) break;
      this.#set(at, this.#dueAt[parent]!, this.#seqs[parent]!);
      at = parent;
    }
    this.#set(at, dueAt, seq);
  }

  #sink(from: number, dueAt: number, seq: number): void {
    const [dues, seqs] = [this.#dueAt, this.#seqs];
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      const other = child + 1;
      if (other < this.#size && isBefore(dues[other]!, seqs[other]!, dues[child]!, seqs[child]!))
        child = other;
      if (isBefore(dueAt, seq, dues[child]!, seqs[child]!)) break;
      this.#set(at, dues[child]!, seqs[child]!);
      at = child;
    }
    this.#set(at, dueAt, seq);
  }

  #set(at: number, dueAt: number, seq: number): void {
    this.#dueAt[at] = dueAt;
    this.#seqs[at] = seq;
  }

  #shrink(): void {
    if (this.#seqs.length > initialSlots && this.#size < this.#seqs.length / 4)
      this.#resize(Math.max(initialSlots, 2 * this.#size));
  }

  #resize(slots: number): void {
    const dueAt = new Float64Array(slots);
    const seqs = new Float64Array(slots);
    dueAt.set(this.#dueAt.subarray(0, this.#size));
    seqs.set(this.#seqs.subarray(0, this.#size));
    this.#dueAt = dueAt;
    this.#seqs = seqs;
  }
}

/** What is due at the same time is in the order of the queue. */
function isBefore(dueAt: number, seq: number, otherDueAt: number, otherSeq: number): boolean {
  return dueAt < otherDueAt || (dueAt === otherDueAt && seq < otherSeq);
}
