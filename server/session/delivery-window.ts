import type { Delivery } from "../engine/engine.ts";

/** Slots without a delivery that are put up with before the few deliveries left in them are moved out. */
const maxHoles = 8192;

/**
 * The unsettled deliveries of one consumer by their numbers. Numbers rise by one, and are mostly settled in order: an
 * array with a moving base. A client that leaves single deliveries open for ever must not make the array grow, so what is
 * left of a long, mostly empty stretch moves into a map.
 */
export class DeliveryWindow {
  #slots: (Delivery | undefined)[] = [];
  /** Number of the delivery in slot 0. */
  #base = 1;
  /** Slots before this one are empty. */
  #start = 0;
  #size = 0;
  readonly #stragglers = new Map<number, Delivery>();

  get size(): number {
    return this.#size;
  }

  /** Number that the next delivery will have. */
  get nextNumber(): number {
    return this.#base + this.#slots.length;
  }

  add(delivery: Delivery): number {
    this.#slots.push(delivery);
    this.#size++;
    return this.#base + this.#slots.length - 1;
  }

  /**
   * Removes and returns the outstanding deliveries from `first` to `last`, in order. `undefined`, and nothing is removed,
   * if `last` is not outstanding (SEMANTICS 72, 73).
   */
  settle(first: number, last: number): Delivery[] | undefined {
    if (first > last || this.#at(last) === undefined) return undefined;
    const settled: Delivery[] = [];
    if (first < this.#base + this.#start && this.#stragglers.size > 0)
      this.#takeStragglers(first, last, settled);
    const slots = this.#slots;
    const end = last - this.#base;
    for (let i = Math.max(first - this.#base, this.#start); i <= end; i++) {
      const delivery = slots[i];
      if (delivery === undefined) continue;
      slots[i] = undefined;
      settled.push(delivery);
    }
    this.#size -= settled.length;
    this.#tidy();
    return settled;
  }

  /** Removes and returns all, in order. */
  takeAll(): Delivery[] {
    const all = [...this.#stragglers.entries()].sort(([a], [b]) => a - b).map(([, delivery]) => delivery);
    for (const delivery of this.#slots) if (delivery !== undefined) all.push(delivery);
    this.#base = this.nextNumber;
    this.#slots = [];
    this.#start = 0;
    this.#size = 0;
    this.#stragglers.clear();
    return all;
  }

  #at(number: number): Delivery | undefined {
    return number < this.#base ? this.#stragglers.get(number) : this.#slots[number - this.#base];
  }

  #takeStragglers(first: number, last: number, into: Delivery[]): void {
    const numbers = [...this.#stragglers.keys()].filter((number) => number >= first && number <= last);
    for (const number of numbers.sort((a, b) => a - b)) {
      into.push(this.#stragglers.get(number)!);
      this.#stragglers.delete(number);
    }
  }

  #tidy(): void {
    const slots = this.#slots;
    while (this.#start < slots.length && slots[this.#start] === undefined) this.#start++;
    if (this.#start === slots.length) this.#dropSlots(slots.length);
    else if (this.#start >= 1024 && this.#start * 2 >= slots.length) this.#dropSlots(this.#start);
    else if (slots.length - this.#start - (this.#size - this.#stragglers.size) > maxHoles) this.#moveOut();
  }

  #dropSlots(count: number): void {
    this.#slots = count === this.#slots.length ? [] : this.#slots.slice(count);
    this.#base += count;
    this.#start = 0;
  }

  #moveOut(): void {
    for (let i = this.#start; i < this.#slots.length; i++) {
      const delivery = this.#slots[i];
      if (delivery !== undefined) this.#stragglers.set(this.#base + i, delivery);
    }
    this.#dropSlots(this.#slots.length);
  }
}
