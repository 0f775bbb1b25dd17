import type { Delivery } from "../engine/engine.ts";

/** Slots without a delivery that are put up with before the few deliveries left in them are moved out. */
const maxHoles = 8192;
/** How many expired deliveries are remembered, so that a late settlement is told from a wrong one. */
const maxRemembered = 10_000;

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
  /** Numbers of deliveries that have expired, the oldest first. */
  readonly #expired = new Set<number>();

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
   * if `last` is neither outstanding (SEMANTICS 72, 73) nor has expired.
   */
  settle(first: number, last: number): Delivery[] | undefined {
    if (first > last || (this.#at(last) === undefined && !this.#expired.has(last))) return undefined;
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

  /** The outstanding deliveries from `first` to `last`. */
  outstanding(first: number, last: number): Delivery[] {
    const found: Delivery[] = [];
    for (const [number, delivery] of this.#stragglers)
      if (number >= first && number <= last) found.push(delivery);
    const end = Math.min(last - this.#base, this.#slots.length - 1);
    for (let i = Math.max(first - this.#base, this.#start); i <= end; i++) {
      const delivery = this.#slots[i];
      if (delivery !== undefined) found.push(delivery);
    }
    return found;
  }

  /** Removes these, which cannot be settled any more, and returns their numbers, rising. */
  expire(deliveries: readonly Delivery[]): number[] {
    const late = new Set(deliveries);
    const numbers: number[] = [];
    for (const [number, delivery] of this.#stragglers) {
      if (!late.has(delivery)) continue;
      this.#stragglers.delete(number);
      numbers.push(number);
    }
    const slots = this.#slots;
    for (let i = this.#start; i < slots.length && numbers.length < late.size; i++) {
      const delivery = slots[i];
      if (delivery === undefined || !late.has(delivery)) continue;
      slots[i] = undefined;
      numbers.push(this.#base + i);
    }
    this.#size -= numbers.length;
    this.#tidy();
    for (const number of numbers) this.#remember(number);
    return numbers.sort((a, b) => a - b);
  }

  /** Forgets, and returns, rising, the numbers from `first` to `last` of deliveries that have expired. */
  takeExpired(first: number, last: number): number[] {
    if (this.#expired.size === 0) return [];
    const numbers = [...this.#expired].filter((number) => number >= first && number <= last);
    for (const number of numbers) this.#expired.delete(number);
    return numbers.sort((a, b) => a - b);
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

  #remember(number: number): void {
    this.#expired.add(number);
    if (this.#expired.size <= maxRemembered) return;
    for (const oldest of this.#expired) {
      this.#expired.delete(oldest);
      return;
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
