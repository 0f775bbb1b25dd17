/** Stands where there is no entry. */
const free = -1;

/**
 * Values by a hash, an integer from 0 to 2^31 − 1.
 *
 * As a `Map`, but made for tables that are too large for the processor's caches: a look-up goes to one place in memory, whether it
 * finds something or not, where a `Map` goes to two or three. Hash and value stand side by side, at the first free place from where the hash
 * points, in an array that is at most half full.
 */
export class HashTable<V> {
  /** Hash and value in turn. The length is a power of two. */
  #slots: (number | V | undefined)[] = freeSlots(4);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(hash: number): V | undefined {
    return this.#slots[this.#find(hash) + 1] as V | undefined;
  }

  set(hash: number, value: V): void {
    let at = this.#find(hash);
    if (this.#slots[at] === free) {
      this.#size++;
      if (this.#size * 4 > this.#slots.length) {
        this.#grow();
        at = this.#find(hash);
      }
    }
    this.#write(at, hash, value);
  }

  delete(hash: number): void {
    let gap = this.#find(hash);
    if (this.#slots[gap] === free) return;
    this.#size--;
    // What stands behind the gap, and would not be found any more, moves up.
    for (let at = this.#next(gap); this.#slots[at] !== free; at = this.#next(at)) {
      const home = this.#home(this.#slots[at] as number);
      const isFoundWhereItIs = at > gap ? home > gap && home <= at : home > gap || home <= at;
      if (isFoundWhereItIs) continue;
      this.#write(gap, this.#slots[at] as number, this.#slots[at + 1] as V);
      gap = at;
    }
    this.#write(gap, free, undefined);
  }

  values(): V[] {
    const values: V[] = [];
    for (let at = 0; at < this.#slots.length; at += 2)
      if (this.#slots[at] !== free) values.push(this.#slots[at + 1] as V);
    return values;
  }

  /** Where a hash stands, or the free place where it would. */
  #find(hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = (hash * 2) & mask;
    for (let there = slots[at]; there !== hash && there !== free; there = slots[at]) at = (at + 2) & mask;
    return at;
  }

  #grow(): void {
    const former = this.#slots;
    this.#slots = freeSlots(former.length);
    for (let at = 0; at < former.length; at += 2) {
      const hash = former[at] as number;
      if (hash !== free) this.#write(this.#find(hash), hash, former[at + 1] as V);
    }
  }

  #write(at: number, hash: number, value: V | undefined): void {
    this.#slots[at] = hash;
    this.#slots[at + 1] = value;
  }

  #home(hash: number): number {
    return (hash * 2) & (this.#slots.length - 1);
  }

  #next(at: number): number {
    return (at + 2) & (this.#slots.length - 1);
  }
}

function freeSlots<V>(count: number): (number | V | undefined)[] {
  const slots: (number | undefined)[] = [];
  // One by one: an array that is made with a length counts as having holes, and is slower to read ever after.
  for (let slot = 0; slot < count; slot++) slots.push(free, undefined);
  return slots;
}
