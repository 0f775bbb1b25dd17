import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Entry, entryOverheadBytes } from "../../server/embedded/entry.ts";
import { EntryWindow } from "../../server/embedded/entry-window.ts";
import type { Lane } from "../../server/embedded/lane.ts";
import { Message } from "../../server/embedded/message.ts";
import { type MemoryBudget, ReadyList } from "../../server/embedded/ready-list.ts";

const bodyBytes = 44;
const entryBytes = entryOverheadBytes + bodyBytes;
const durableLane = { queue: { durable: true } } as Lane;

/** A ready list on a disk that has everything that was ever added to it. */
class Listed {
  readonly budget: MemoryBudget;
  readonly list: ReadyList;
  readonly loads: number[] = [];
  isBroken = false;
  /** What the disk no longer has. */
  readonly settled = new Set<number>();
  #last = 0;

  constructor({ budgetBytes = Number.POSITIVE_INFINITY, queueBytes = 10 * entryBytes } = {}) {
    this.budget = { usedBytes: 0, budgetBytes, queueBytes };
    this.list = new ReadyList(this.budget, (fromSeq, toSeq, maxEntries, maxBytes) => {
      if (this.isBroken) throw new Error("unreadable");
      const entries: Entry[] = [];
      let bytes = 0;
      for (
        let seq = Math.max(1, fromSeq);
        seq <= toSeq && entries.length < maxEntries && bytes <= maxBytes;
        seq++
      ) {
        if (this.settled.has(seq)) continue;
        entries.push(this.entry(seq));
        bytes += bodyBytes;
      }
      this.loads.push(entries.length);
      return entries;
    });
  }

  entry(seq: number, persistent = true): Entry {
    const message = new Message(new Uint8Array(bodyBytes), bodyBytes, persistent, 0);
    return new Entry(durableLane, message, seq, "waiting");
  }

  /** Adds entries with the next numbers. Returns the last of them. */
  push(count: number, persistent = true): number {
    for (let i = 0; i < count; i++) this.list.push(this.entry(++this.#last, persistent));
    return this.#last;
  }

  take(count: number): (number | undefined)[] {
    return Array.from({ length: count }, () => this.list.take()?.seq);
  }
}

function upTo(last: number, first = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

describe("while there is memory", () => {
  test("nothing pages, and nothing is read", () => {
    const listed = new Listed();
    listed.list.flushed(listed.push(10));
    expect(listed.list.willPage).toBe(false);
    expect(listed.take(11)).toEqual([...upTo(10), undefined]);
    expect(listed.loads).toEqual([]);
    expect(listed.budget.usedBytes).toBe(0);
  });

  test("what an earlier run had set aside comes back to its place among those that nobody has had", () => {
    const listed = new Listed();
    listed.push(2);
    const aside = listed.entry(3);
    listed.list.push(listed.entry(4));
    expect(listed.take(1)).toEqual([1]);
    listed.list.putBack(aside);
    expect(listed.take(4)).toEqual([2, 3, 4, undefined]);
  });

  test("what comes back is first again", () => {
    const listed = new Listed();
    listed.push(4);
    const taken = [listed.list.take(), listed.list.take(), listed.list.take()];
    listed.list.putBack(taken[2]!);
    listed.list.putBack(taken[0]!);
    expect(listed.list.length).toBe(3);
    expect(listed.take(4)).toEqual([1, 3, 4, undefined]);
  });
});

describe("beyond the queue's memory", () => {
  test("entries page as soon as they are flushed, and the memory stays bounded however many there are", () => {
    const listed = new Listed();
    for (let i = 0; i < 100; i++) listed.list.flushed(listed.push(10));
    expect(listed.list.length).toBe(1000);
    expect(listed.budget.usedBytes).toBeLessThanOrEqual(11 * entryBytes);
    const taken: (number | undefined)[] = [];
    for (let i = 0; i < 1000; i++) {
      taken.push(listed.list.take()?.seq);
      expect(listed.list.length).toBe(999 - i);
      expect(listed.budget.usedBytes).toBeLessThanOrEqual(12 * entryBytes);
    }
    expect(taken).toEqual(upTo(1000));
    expect(listed.budget.usedBytes).toBe(0);
    expect(listed.list.isPaging).toBe(false);
  });

  test("what is not flushed stays in memory, and comes in its turn", () => {
    const listed = new Listed();
    listed.push(30);
    expect(listed.list.isPaging).toBe(true);
    expect(listed.take(30)).toEqual(upTo(30));
    expect(listed.loads).toEqual([]);
    // The commit's news comes late: nothing of it is ready any more.
    listed.list.flushed(30);
    expect(listed.list.length).toBe(0);
  });

  test("the seams between head, disk and tail show nowhere", () => {
    const listed = new Listed();
    listed.push(15);
    listed.list.flushed(13);
    const taken = listed.take(12);
    listed.push(20);
    listed.list.flushed(20);
    taken.push(...listed.take(5));
    listed.list.flushed(35);
    listed.push(3);
    taken.push(...listed.take(21));
    expect(taken).toEqual(upTo(38));
    expect(listed.budget.usedBytes).toBe(0);
  });

  test("paging ends when everything has been read back, and can begin anew", () => {
    const listed = new Listed();
    listed.list.flushed(listed.push(20));
    expect(listed.take(20)).toEqual(upTo(20));
    expect(listed.list.willPage).toBe(false);
    listed.push(5);
    expect(listed.list.isPaging).toBe(false);
    listed.list.flushed(listed.push(15));
    expect(listed.list.isPaging).toBe(true);
    expect(listed.take(20)).toEqual(upTo(40, 21));
  });

  test("what comes back goes before what is paged", () => {
    const listed = new Listed();
    listed.list.flushed(listed.push(30));
    const taken = Array.from({ length: 15 }, () => listed.list.take()!);
    for (const entry of taken) listed.list.putBack(entry);
    expect(listed.take(30)).toEqual(upTo(30));
  });

  test("a disk that cannot be read takes nothing away", () => {
    const listed = new Listed();
    listed.list.flushed(listed.push(30));
    expect(listed.take(11)).toEqual(upTo(11));
    listed.isBroken = true;
    expect(() => listed.list.take()).toThrow("unreadable");
    expect(listed.list.length).toBe(19);
    listed.isBroken = false;
    expect(listed.take(19)).toEqual(upTo(30, 12));
  });
});

describe("when all queues together have used the memory up", () => {
  test("a queue that holds little goes on as before, one that holds more pages", () => {
    const large = 100 * 1024 * 1024;
    const listed = new Listed({ budgetBytes: 1000, queueBytes: large });
    const floorEntries = Math.floor((64 * 1024) / entryBytes);
    listed.push(floorEntries);
    expect(listed.list.willPage).toBe(false);
    listed.push(1);
    expect(listed.list.willPage).toBe(true);
  });
});

describe("when all queues together have used more than half of the memory", () => {
  const miB = 1024 * 1024;
  test.each([
    { others: 0, pagesAt: 1 },
    { others: 1, pagesAt: 1 },
    // All that others leave of the second half is shared out: 2 * (1 - (3 + x) / 4) is x.
    { others: 3, pagesAt: 1 / 3 },
    { others: 3.5, pagesAt: 1 / 6 },
  ])("a queue of 1 of 4 MiB, where others have $others, pages at $pagesAt", ({ others, pagesAt }) => {
    const listed = new Listed({ budgetBytes: 4 * miB, queueBytes: miB });
    listed.budget.usedBytes = others * miB;
    const entries = Math.floor((pagesAt * miB) / entryBytes);
    listed.push(entries - 1);
    expect(listed.list.willPage).toBe(false);
    listed.push(2);
    expect(listed.list.willPage).toBe(true);
  });
});

describe("clearing", () => {
  test("gives what is in memory as entries, and what is not as a range", () => {
    const listed = new Listed();
    listed.push(11);
    listed.push(2, false);
    listed.push(3);
    listed.list.flushed(14);
    const first = listed.list.take()!;
    listed.list.putBack(first);
    const { entries, disk } = listed.list.clear();
    expect(entries.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual([...upTo(11), 15, 16]);
    expect(disk).toEqual({
      fromSeq: 12,
      toSeq: 14,
      messages: 3,
      durableMessages: 1,
      durableBytes: bodyBytes,
    });
    expect(listed.list.length).toBe(0);
    expect(listed.budget.usedBytes).toBe(0);
  });

  test("leaves no trace: late news of a flush, and what comes after, are as in a new list", () => {
    const listed = new Listed();
    listed.list.flushed(listed.push(14));
    listed.push(4);
    listed.list.clear();
    listed.list.flushed(18);
    expect(listed.list.length).toBe(0);
    expect(listed.list.isPaging).toBe(false);
    listed.list.flushed(listed.push(30));
    expect(listed.take(31)).toEqual([...upTo(48, 19), undefined]);
    expect(listed.list.clear().disk).toBeUndefined();
  });
});

describe("after a restart", () => {
  test("everything is on disk, and new entries come behind it", () => {
    const listed = new Listed();
    listed.push(25);
    const recovered = new Listed();
    recovered.list.recover(25, 25 * bodyBytes, 25);
    expect(recovered.list.length).toBe(25);
    expect(recovered.list.willPage).toBe(true);
    recovered.list.push(recovered.entry(26));
    expect(recovered.budget.usedBytes).toBe(entryBytes);
    expect(recovered.take(27)).toEqual([...upTo(26), undefined]);
  });

  test("a queue without messages does not page", () => {
    const recovered = new Listed();
    recovered.list.recover(0, 0, 25);
    expect(recovered.list.willPage).toBe(false);
    expect(recovered.take(1)).toEqual([undefined]);
  });
});

describe("removing out of turn", () => {
  test("works wherever the entry is, and shows in length, memory and what is taken", () => {
    const listed = new Listed();
    listed.push(15);
    listed.list.flushed(13);
    const first = listed.list.take()!;
    listed.list.putBack(first);
    // Returned, in the head, on disk, in the tail.
    for (const seq of [1, 5, 12, 15]) {
      const entry = listed.list.find(seq)!;
      expect([entry.seq, listed.list.holds(entry)]).toEqual([seq, true]);
      listed.list.remove(entry);
      expect([listed.list.find(seq), listed.list.holds(entry)]).toEqual([undefined, false]);
    }
    expect(listed.list.length).toBe(11);
    expect(listed.take(12)).toEqual([2, 3, 4, 6, 7, 8, 9, 10, 11, 13, 14, undefined]);
    expect(listed.budget.usedBytes).toBe(0);
  });

  test("an entry of the tail that was removed does not get to the disk part", () => {
    const listed = new Listed();
    listed.push(15);
    listed.list.remove(listed.list.find(14)!);
    listed.list.flushed(15);
    listed.settled.add(14);
    expect(listed.list.length).toBe(14);
    expect(listed.list.clear()).toMatchObject({ disk: { messages: 3 } });
  });

  test("clearing gives nothing that was removed", () => {
    const listed = new Listed();
    listed.list.flushed(listed.push(14));
    for (const seq of [2, 12]) listed.list.remove(listed.list.find(seq)!);
    const { entries, disk } = listed.list.clear();
    expect(entries.map(({ seq }) => seq)).toEqual([1, ...upTo(11, 3)]);
    expect(disk).toMatchObject({ messages: 2, durableMessages: 2, durableBytes: 2 * bodyBytes });
    expect(listed.list.length).toBe(0);
    expect(listed.budget.usedBytes).toBe(0);
  });

  test("whatever happens in whatever order, the list has what a simple one has, and shows it in pieces", () => {
    const step = fc.record({
      what: fc.constantFrom("push", "flush", "take", "putBack", "remove", "commit", "show"),
      n: fc.nat(30),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const listed = new Listed({ queueBytes: 5 * entryBytes });
        const ready = new Set<number>();
        const taken: Entry[] = [];
        const removed: number[] = [];
        let last = 0;
        let flushed = 0;
        const inOrder = () => [...ready].sort((a, b) => a - b);
        for (const { what, n } of steps) {
          if (what === "push") {
            last = listed.push(n);
            for (let seq = last - n + 1; seq <= last; seq++) ready.add(seq);
          } else if (what === "flush") {
            flushed = Math.min(last, flushed + n);
            listed.list.flushed(flushed);
          } else if (what === "take") {
            const entry = listed.list.take();
            expect(entry?.seq).toBe(inOrder()[0]);
            if (entry === undefined) continue;
            taken.push(entry);
            ready.delete(entry.seq);
          } else if (what === "putBack") {
            const [entry] = taken.splice(n % (taken.length || 1), 1);
            if (entry === undefined) continue;
            listed.list.putBack(entry);
            ready.add(entry.seq);
          } else if (what === "remove") {
            const seq = inOrder()[n];
            if (seq === undefined) continue;
            listed.list.remove(listed.list.find(seq)!);
            ready.delete(seq);
            removed.push(seq);
          } else if (what === "commit") {
            for (const seq of removed.splice(0)) listed.settled.add(seq);
            listed.list.committed();
          } else {
            const shown: number[] = [];
            for (let from: number | undefined = 1; from !== undefined; ) {
              const window = new EntryWindow(from, last, 1 + n);
              listed.list.show(window, n * bodyBytes);
              const { entries, nextSeq } = window.content();
              shown.push(...entries.map(({ seq }) => seq));
              from = nextSeq;
            }
            expect(shown).toEqual(inOrder());
          }
          expect(listed.list.length).toBe(ready.size);
        }
        expect(listed.take(ready.size + 1)).toEqual([...inOrder(), undefined]);
        expect(listed.budget.usedBytes).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });
});
