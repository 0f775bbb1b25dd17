import { expect, test } from "vitest";
import { AsideEntries, type AsideHost } from "../../server/embedded/aside-entries.ts";
import { Deadlines } from "../../server/embedded/deadlines.ts";
import type { Entry } from "../../server/embedded/entry.ts";
import { EntryWindow } from "../../server/embedded/entry-window.ts";
import type { Lane } from "../../server/embedded/lane.ts";
import { ManualTime } from "../support/manual-time.ts";

/** Entries that an earlier run has parked, `onDiskFrom` and later ones in places that are read with all that is there. */
function parked(seqs: readonly number[], onDiskFrom = Number.POSITIVE_INFINITY) {
  const time = new ManualTime();
  const loaded: number[] = [];
  const load = (seq: number) => {
    loaded.push(seq);
    return { seq, envelope: new Uint8Array(100) } as Entry;
  };
  const lane = { load, ready: { isOnDisk: (seq: number) => seq >= onDiskFrom } };
  const host = { now: time.now, deadlines: new Deadlines(time) } as unknown as AsideHost;
  const aside = new AsideEntries(lane as unknown as Lane, host);
  for (const seq of seqs) aside.found(seq, "parked", 0, 0);
  const shown = (fromSeq: number, toSeq: number, maxEntries: number, maxBytes = 1e6) => {
    const window = new EntryWindow(fromSeq, toSeq, maxEntries);
    aside.show(window, maxBytes);
    const { entries, nextSeq } = window.content();
    return [entries.map(({ seq }) => seq), nextSeq];
  };
  return { aside, shown, loaded };
}

const thousands = Array.from({ length: 5000 }, (_, i) => 2 * i + 1);

test("a window reads no more than it shows, however many are set aside", () => {
  const { shown, loaded } = parked(thousands);
  expect(shown(1, 10_000, 3)).toEqual([[1, 3, 5], 6]);
  expect(shown(6, 10_000, 3)).toEqual([[7, 9, 11], 12]);
  expect(shown(9990, 10_000, 100)).toEqual([[9991, 9993, 9995, 9997, 9999], undefined]);
  expect(shown(4, 8, 100)).toEqual([[5, 7], undefined]);
  expect(loaded).toHaveLength(13);
});

test("a window ends where the bytes end", () => {
  const { shown, loaded } = parked(thousands);
  expect(shown(1, 10_000, 100, 250)).toEqual([[1, 3, 5], 6]);
  expect(loaded).toEqual([1, 3, 5]);
});

test("what is read with the places around it is not read again", () => {
  const { shown, loaded } = parked(thousands, 6);
  expect(shown(1, 10_000, 100)).toEqual([[1, 3, 5], undefined]);
  expect(loaded).toEqual([1, 3, 5]);
});

test("those that come later, out of order and again are shown in order, once, and not those that have gone", () => {
  const { aside, shown } = parked([5, 1, 9]);
  expect(shown(0, 100, 10)).toEqual([[1, 5, 9], undefined]);
  aside.found(11, "parked", 0, 0);
  aside.remove({ seq: 5 } as Entry);
  expect(shown(0, 100, 10)).toEqual([[1, 9, 11], undefined]);
  aside.found(5, "parked", 0, 0);
  aside.found(3, "parked", 0, 0);
  expect(shown(0, 100, 10)).toEqual([[1, 3, 5, 9, 11], undefined]);
  expect(aside.gaps(2, 10)).toEqual([
    { fromSeq: 2, toSeq: 2 },
    { fromSeq: 4, toSeq: 4 },
    { fromSeq: 6, toSeq: 8 },
    { fromSeq: 10, toSeq: 10 },
  ]);
});
