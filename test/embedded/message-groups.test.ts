import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeMessage } from "../../protocol/binary-codec.ts";
import type { Entry } from "../../server/embedded/entry.ts";
import type { Holder } from "../../server/embedded/holder.ts";
import { MessageGroups } from "../../server/embedded/message-groups.ts";

/** An entry as far as groups look at it; its group key is its routing key, or none. */
interface Item {
  state?: "done";
  readonly seq: number;
  readonly key: string | undefined;
  readonly envelope: Uint8Array;
  readonly memoryBytes: number;
}

function item(seq: number, key: string | undefined): Item {
  const properties = { persistent: true, ...(key !== undefined && { headers: { group: key } }) };
  const envelope = encodeMessage({ exchange: "", routingKey: "q", properties, body: new Uint8Array() });
  return { seq, key, envelope, memoryBytes: 100 };
}

function holder(): Holder {
  return { hasOne: false, took: () => {}, released: () => {}, touch: () => {} };
}

/** Groups over a list of messages, each with its key; what has been handed out stands in `out`. */
class World {
  readonly ready: Item[];
  readonly holders = [holder(), holder(), holder()];
  readonly out: { readonly item: Item; readonly holder: number }[] = [];
  readonly memory = { usedBytes: 0, budgetBytes: 1_000_000, queueBytes: 1_000_000 };
  readonly groups: MessageGroups;

  constructor(
    keys: readonly (string | undefined)[],
    options: { maxUnsettled?: number; lookAhead?: number } = {},
  ) {
    this.ready = keys.map((key, index) => item(index + 1, key));
    const settings = { by: "header", name: "group", maxUnsettled: 1, lookAhead: 1000, ...options } as const;
    const list = {
      hasReturned: false,
      takeReady: () => this.ready.shift() as unknown as Entry,
      putBack: () => expect.unreachable(),
    };
    this.groups = new MessageGroups(settings, list, this.memory, 0);
  }

  take(by = 0): number | undefined {
    this.groups.fill();
    const taken = this.groups.take(this.holders[by]) as unknown as Item | undefined;
    if (taken !== undefined) this.out.push({ item: taken, holder: by });
    return taken?.seq;
  }

  takeAll(by = 0): number[] {
    const all: number[] = [];
    for (let seq = this.take(by); seq !== undefined; seq = this.take(by)) all.push(seq);
    return all;
  }

  settle(seq: number, how: "finish" | "putBack" | "undoTake"): Item {
    const [settled] = this.out.splice(
      this.out.findIndex((each) => each.item.seq === seq),
      1,
    );
    this.groups[how](settled!.item as unknown as Entry);
    return settled!.item;
  }
}

test("of each group one message is out at a time; the groups take turns", () => {
  const world = new World(["a", "a", "a", "b", "b", "c"]);
  expect(world.takeAll()).toEqual([1, 4, 6]);
  world.settle(4, "finish");
  world.settle(1, "finish");
  expect(world.takeAll()).toEqual([5, 2]);
  world.settle(2, "finish");
  world.settle(5, "finish");
  world.settle(6, "finish");
  expect(world.takeAll()).toEqual([3]);
});

test("messages without a key hold nobody back, and nobody them", () => {
  const world = new World([undefined, "a", undefined, "a", undefined]);
  expect(world.takeAll()).toEqual([1, 2, 3, 5]);
  expect(world.groups.size).toBe(1);
});

test("with more than one at a time, what follows goes to the same holder until nothing of the group is out", () => {
  const world = new World(["a", "a", "a", "a", "b"], { maxUnsettled: 2 });
  expect(world.take(0)).toBe(1);
  expect(world.takeAll(1)).toEqual([5]);
  expect(world.takeAll(0)).toEqual([2]);
  world.settle(1, "finish");
  expect(world.takeAll(1)).toEqual([]);
  expect(world.takeAll(0)).toEqual([3]);
  world.settle(2, "finish");
  world.settle(3, "finish");
  expect(world.takeAll(1)).toEqual([4]);
});

test("a message that came back goes alone, once what was out with it is settled", () => {
  const world = new World(["a", "a", "a", "a"], { maxUnsettled: 3 });
  expect(world.takeAll(0)).toEqual([1, 2, 3]);
  world.settle(2, "putBack");
  expect(world.takeAll(0)).toEqual([]);
  world.settle(1, "finish");
  world.settle(3, "finish");
  expect(world.takeAll(1)).toEqual([2]);
  world.settle(2, "finish");
  expect(world.takeAll(1)).toEqual([4]);
});

test("one hot group does not keep the others waiting", () => {
  const world = new World([...Array<string>(100).fill("hot"), "a", "b"], { maxUnsettled: 100 });
  expect([world.take(), world.take(), world.take()]).toEqual([1, 101, 102]);
  expect(world.take()).toBe(2);
});

test("no more than the look-ahead is looked at, and what memory allows", () => {
  const world = new World([...Array<string>(10).fill("a"), "b"], { lookAhead: 5 });
  expect(world.takeAll()).toEqual([1]);
  expect(world.groups.waiting).toBe(5);
  expect(world.ready).toHaveLength(5);
  expect(world.memory.usedBytes).toBe(500);
  world.memory.queueBytes = 600;
  for (let seq = 1; seq <= 5; seq++) {
    world.settle(seq, "finish");
    world.take();
  }
  expect(world.takeAll()).toEqual([11]);
});

test("groups that are done are forgotten", () => {
  const world = new World(Array.from({ length: 500 }, (_, i) => `key ${i}`));
  for (const seq of world.takeAll()) world.settle(seq, "finish");
  expect(world.groups.size).toBe(0);
  expect(world.memory.usedBytes).toBe(0);
});

test("messages that are done with before their turn are passed over", () => {
  const world = new World(["a", "a", "a", "a", "a"]);
  world.take();
  world.groups.fill();
  const waiting = [...world.groups.entries()] as unknown as Item[];
  for (const seq of [3, 2, 5]) {
    const gone = waiting.find((each) => each.seq === seq) as unknown as Entry;
    expect(world.groups.holds(gone)).toBe(true);
    world.groups.remove(gone);
  }
  expect(([...world.groups.entries()] as unknown as Item[]).map(({ seq }) => seq)).toEqual([4]);
  expect([world.groups.waiting, world.memory.usedBytes]).toEqual([1, 100]);
  world.settle(1, "finish");
  expect(world.takeAll()).toEqual([4]);
  world.settle(4, "finish");
  expect([world.groups.size, world.memory.usedBytes]).toEqual([0, 0]);
});

test("clearing takes what waits, in any group, and leaves what is out", () => {
  const world = new World(["a", "a", "b", undefined, "b"]);
  world.take();
  world.groups.fill();
  expect((world.groups.clear() as unknown as Item[]).map(({ seq }) => seq).sort()).toEqual([2, 3, 4, 5]);
  expect(world.takeAll()).toEqual([]);
  expect([world.groups.waiting, world.memory.usedBytes]).toEqual([0, 0]);
  world.settle(1, "finish");
  expect(world.groups.size).toBe(0);
});

test("nothing goes out until the messages are settled that were out before there were groups", () => {
  const ready = [item(2, "a")];
  const putBack: unknown[] = [];
  const list = {
    hasReturned: false,
    takeReady: () => ready.shift() as unknown as Entry,
    putBack: (entry: Entry) => putBack.push(entry),
  };
  const memory = { usedBytes: 0, budgetBytes: 1, queueBytes: 1 };
  const settings = { by: "header", name: "group", maxUnsettled: 1, lookAhead: 10 } as const;
  const groups = new MessageGroups(settings, list, memory, 2);
  groups.fill();
  const [one, other] = [item(1, "a"), item(0, "a")] as unknown as [Entry, Entry];
  groups.finish(one);
  expect(groups.hasFor(undefined)).toBe(false);
  groups.putBack(other);
  expect(putBack).toEqual([other]);
  expect(groups.hasFor(undefined)).toBe(true);
});

test("the number at a time can change, the key cannot", () => {
  const world = new World(["a", "a", "a"]);
  expect(world.takeAll()).toEqual([1]);
  const settings = { by: "header", name: "group", maxUnsettled: 2, lookAhead: 10 } as const;
  expect(world.groups.change(settings)).toBe(true);
  expect(world.takeAll()).toEqual([2]);
  expect(world.groups.change({ ...settings, name: "other" })).toBe(false);
});

describe("whatever happens", () => {
  const steps = fc.array(
    fc.record({
      do: fc.constantFrom("take", "take", "take", "finish", "finish", "putBack", "undoTake", "remove"),
      holder: fc.nat(2),
      which: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
    { maxLength: 300 },
  );
  const keys = fc.array(fc.constantFrom("a", "b", "c", "d", undefined), { maxLength: 80 });

  test.each([1, 2, 5])(
    "with %i at a time, groups go in order, to one holder each, and all of it gets out",
    (max) => {
      fc.assert(
        fc.property(keys, steps, fc.constantFrom(1, 3, 100), (all, history, lookAhead) => {
          const world = new World(all, { maxUnsettled: max, lookAhead });
          const waiting = new Map(world.ready.map((each) => [each.seq, each]));
          const back = new Set<Item>();
          const check = (seq: number, by: number) => {
            const taken = waiting.get(seq)!;
            waiting.delete(seq);
            if (taken.key === undefined) return;
            const sameKey = [...waiting.values()].filter(({ key }) => key === taken.key);
            expect(
              sameKey.every((other) => other.seq > seq),
              "taken out of order",
            ).toBe(true);
            const out = world.out.filter((each) => each.item.key === taken.key);
            expect(out.length).toBeLessThanOrEqual(max);
            expect(
              out.every((each) => each.holder === by),
              "two holders of one group",
            ).toBe(true);
            const isHeld = [...back].some(({ key }) => key === taken.key);
            if (isHeld) expect(out.length, "not alone").toBe(1);
          };
          const settle = (which: number, how: "finish" | "putBack" | "undoTake") => {
            const chosen = world.out[Math.floor(which * world.out.length)];
            if (chosen === undefined) return;
            const settled = world.settle(chosen.item.seq, how);
            if (how === "finish") back.delete(settled);
            else waiting.set(settled.seq, settled);
            if (how === "putBack") back.add(settled);
          };
          for (const { do: what, holder: by, which } of history) {
            if (what === "take") {
              const seq = world.take(by);
              if (seq !== undefined) check(seq, by);
            } else if (what === "undoTake") {
              // The broker undoes only what it has just taken.
              const seq = world.take(by);
              if (seq !== undefined) {
                check(seq, by);
                waiting.set(seq, world.settle(seq, "undoTake"));
              }
            } else if (what === "remove") {
              const looked = [...world.groups.entries()];
              const gone = looked[Math.floor(which * looked.length)];
              if (gone !== undefined) {
                world.groups.remove(gone);
                back.delete(gone as unknown as Item);
                waiting.delete(gone.seq);
              }
            } else settle(which, what as "finish" | "putBack");
            expect(world.groups.waiting + world.ready.length).toBe(waiting.size);
          }
          for (let rest = waiting.size + world.out.length; rest > 0; rest--) {
            for (let by = 0; by < 3; by++) {
              const seq = world.take(by);
              if (seq !== undefined) check(seq, by);
            }
            expect(world.out.length, "nothing can go on").toBeGreaterThan(0);
            settle(0, "finish");
          }
          expect([waiting.size, world.groups.size, world.memory.usedBytes]).toEqual([0, 0, 0]);
        }),
      );
    },
  );
});
