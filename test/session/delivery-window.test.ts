import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Delivery } from "../../server/engine/engine.ts";
import { DeliveryWindow } from "../../server/session/delivery-window.ts";

function delivery(attempts: number): Delivery {
  return { envelope: new Uint8Array(), redelivered: false, attempts, history: undefined };
}

/** Large enough steps that windows are cut off at the front and that stragglers are moved out. */
const count = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom(1500, 9000) },
);
/** Where among the outstanding deliveries: 0 the oldest, 1 the newest. */
const place = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));

const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("add" as const), count }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("settle" as const), from: place, to: place }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("settle one" as const), at: place }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("settle wrongly" as const),
        first: fc.nat(30_000),
        last: fc.nat(30_000),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ do: "take all" as const }) },
  ),
  { maxLength: 60 },
);

/** A window, and the map from numbers to deliveries that it stands for. */
class ModelledWindow {
  readonly window = new DeliveryWindow();
  readonly model = new Map<number, Delivery>();
  #next = 1;

  add(): void {
    const added = delivery(this.#next);
    this.#expectNext(this.window.add(added));
    this.model.set(this.#next++, added);
  }

  settle(first: number, last: number): void {
    const isValid = first <= last && this.model.has(last);
    const expected = isValid ? this.#take(first, last) : undefined;
    const settled = this.window.settle(first, last);
    expect(settled?.map(({ attempts }) => attempts)).toEqual(expected?.map(({ attempts }) => attempts));
  }

  takeAll(): void {
    const expected = this.#take(1, this.#next);
    expect(this.window.takeAll().map(({ attempts }) => attempts)).toEqual(
      expected.map(({ attempts }) => attempts),
    );
  }

  numberAt(fraction: number): number {
    const numbers = [...this.model.keys()];
    return numbers[Math.round(fraction * (numbers.length - 1))] ?? this.#next;
  }

  check(): void {
    expect(this.window.size).toBe(this.model.size);
    expect(this.window.nextNumber).toBe(this.#next);
  }

  /** Plain, as `expect` would take most of the test's time. */
  #expectNext(number: number): void {
    if (number !== this.#next) throw new Error(`The delivery has number ${number}, not ${this.#next}.`);
  }

  #take(first: number, last: number): Delivery[] {
    const taken: Delivery[] = [];
    for (const [number, held] of this.model) {
      if (number > last) break;
      if (number < first) continue;
      taken.push(held);
      this.model.delete(number);
    }
    return taken;
  }
}

test("a window is a map from numbers to deliveries, settled by ranges", () => {
  fc.assert(
    fc.property(steps, (history) => {
      const modelled = new ModelledWindow();
      for (const step of history) {
        if (step.do === "add") for (let i = 0; i < step.count; i++) modelled.add();
        else if (step.do === "settle")
          modelled.settle(modelled.numberAt(step.from), modelled.numberAt(step.to));
        else if (step.do === "settle one")
          modelled.settle(modelled.numberAt(step.at), modelled.numberAt(step.at));
        else if (step.do === "settle wrongly") modelled.settle(step.first, step.last);
        else modelled.takeAll();
        modelled.check();
      }
      modelled.takeAll();
      modelled.check();
    }),
    { numRuns: 300 },
  );
});

describe("a range", () => {
  test("takes what is outstanding in it, and passes over what is settled already", () => {
    const modelled = new ModelledWindow();
    for (let i = 0; i < 5; i++) modelled.add();
    expect(modelled.window.settle(2, 2)).toHaveLength(1);
    expect(modelled.window.settle(1, 4)).toHaveLength(3);
    expect(modelled.window.settle(1, 5)).toHaveLength(1);
    expect(modelled.window.size).toBe(0);
  });

  test("that ends in what is not outstanding takes nothing", () => {
    const modelled = new ModelledWindow();
    for (let i = 0; i < 3; i++) modelled.add();
    expect(modelled.window.settle(3, 3)).toHaveLength(1);
    for (const [first, last] of [
      [1, 3],
      [1, 4],
      [1, 5],
      [0, 0],
      [2, 1],
      [-5, -1],
    ] as const) {
      expect(modelled.window.settle(first, last)).toBeUndefined();
    }
    expect(modelled.window.size).toBe(2);
  });
});

test("single deliveries left open for ever can be settled after many thousand others", () => {
  const modelled = new ModelledWindow();
  for (let round = 0; round < 50; round++) {
    modelled.add();
    for (let i = 0; i < 999; i++) modelled.add();
    modelled.settle(modelled.numberAt(0) + round * 1000 + 1, round * 1000 + 1000);
    modelled.check();
  }
  expect(modelled.window.size).toBe(50);
  modelled.settle(1001, 1001);
  modelled.settle(1, 30_001);
  modelled.check();
  modelled.takeAll();
});

test("an expired delivery is out of the window, and remembered until its number is named", () => {
  const window = new DeliveryWindow();
  const all = [1, 2, 3, 4, 5].map(() => delivery(0));
  for (const each of all) window.add(each);
  expect(window.expire([all[3]!, all[1]!])).toEqual([2, 4]);
  expect(window.size).toBe(3);
  expect(window.settle(1, 4)).toEqual([all[0], all[2]]);
  expect(window.takeExpired(1, 4)).toEqual([2, 4]);
  expect(window.takeExpired(1, 4)).toEqual([]);
  expect(window.settle(4, 4)).toBeUndefined();
  expect(window.settle(5, 5)).toEqual([all[4]]);
});

test("stragglers expire as well", () => {
  const window = new DeliveryWindow();
  const first = delivery(0);
  window.add(first);
  for (let number = 2; number <= 20_000; number++) {
    window.add(delivery(0));
    window.settle(number, number);
  }
  expect(window.expire([first])).toEqual([1]);
  expect(window.size).toBe(0);
  expect(window.settle(1, 1)).toEqual([]);
  expect(window.takeExpired(1, 1)).toEqual([1]);
});

test("the numbers of 10,000 expired deliveries are remembered, the latest ones", () => {
  const window = new DeliveryWindow();
  const all = Array.from({ length: 10_001 }, () => delivery(0));
  for (const each of all) window.add(each);
  window.expire(all);
  expect(window.settle(1, 1)).toBeUndefined();
  expect(window.settle(2, 2)).toEqual([]);
  expect(window.takeExpired(1, 10_001)).toHaveLength(10_000);
});

test("those that are outstanding can be looked up without settling them", () => {
  const window = new DeliveryWindow();
  const all = [1, 2, 3].map(() => delivery(0));
  for (const each of all) window.add(each);
  window.settle(2, 2);
  expect(window.outstanding(1, 1000)).toEqual([all[0], all[2]]);
  expect(window.outstanding(3, 1)).toEqual([]);
  expect(window.size).toBe(2);
});
