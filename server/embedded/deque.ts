/** A list that grows at the end and shrinks at the front, in constant time. */
export class Deque<T> {
  #slots: (T | undefined)[] = new Array(16);
  #front = 0;
  length = 0;

  push(item: T): void {
    if (this.length === this.#slots.length) this.#grow();
    this.#slots[(this.#front + this.length) & (this.#slots.length - 1)] = item;
    this.length++;
  }

  first(): T | undefined {
    return this.length === 0 ? undefined : this.#slots[this.#front];
  }

  /** `index` must be below `length`. */
  at(index: number): T {
    return this.#slots[(this.#front + index) & (this.#slots.length - 1)] as T;
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#slots[this.#front];
    this.#slots[this.#front] = undefined;
    this.#front = (this.#front + 1) & (this.#slots.length - 1);
    this.length--;
    // A queue that once was long must not keep its memory for ever.
    if (this.length === 0 && this.#slots.length > 1024) this.clear();
    return item;
  }

  clear(): void {
    this.#slots = new Array(16);
    this.#front = 0;
    this.length = 0;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  /** Forgets those that do not fit. */
  keep(fits: (item: T) => boolean): void {
    const kept = [...this].filter(fits);
    this.clear();
    for (const item of kept) this.push(item);
  }

  #grow(): void {
    const slots = new Array<T | undefined>(this.#slots.length * 2);
    for (let i = 0; i < this.length; i++)
      slots[i] = this.#slots[(this.#front + i) & (this.#slots.length - 1)];
    this.#slots = slots;
    this.#front = 0;
  }
}
