import { expect, test } from "vitest";
import { Deadlines } from "../../server/embedded/deadlines.ts";
import type { Entry } from "../../server/embedded/entry.ts";
import { Leases } from "../../server/embedded/leases.ts";
import { ManualTime } from "../support/manual-time.ts";

/** To leases an entry is just an object. */
function entries(count: number): Entry[] {
  return Array.from({ length: count }, () => ({}) as Entry);
}

function leasing(timeoutMs = 1000) {
  const time = new ManualTime();
  const deadlines = new Deadlines(time);
  const expired: Entry[][] = [];
  const leases = new Leases(timeoutMs, { now: time.now, deadlines }, (late) => expired.push([...late]));
  return { time, deadlines, leases, expired };
}

test("entries expire in the order in which they were begun, each at its time", () => {
  const { time, leases, expired } = leasing();
  const [a, b, c] = entries(3) as [Entry, Entry, Entry];
  leases.begin(a);
  leases.begin(b);
  time.advance(500);
  leases.begin(c);
  time.advance(499);
  expect(expired).toEqual([]);
  time.advance(1);
  expect(expired).toEqual([[a, b]]);
  time.advance(500);
  expect(expired).toEqual([[a, b], [c]]);
});

test("a touched entry expires behind those begun meanwhile; one that has ended never", () => {
  const { time, leases, expired } = leasing();
  const [a, b, c] = entries(3) as [Entry, Entry, Entry];
  for (const entry of [a, b, c]) leases.begin(entry);
  time.advance(600);
  leases.touch(a);
  leases.end(c);
  time.advance(400);
  expect(expired).toEqual([[b]]);
  leases.touch(b);
  time.advance(600);
  expect(expired).toEqual([[b], [a]]);
});

test("there is one deadline however many entries, and none when all have ended", () => {
  const { deadlines, leases } = leasing();
  const all = entries(1000);
  for (const entry of all) leases.begin(entry);
  expect(deadlines.size).toBe(1);
  for (const entry of all) leases.end(entry);
  expect(deadlines.size).toBe(0);
});

test("of very many that are due, a portion comes back in each turn", () => {
  const { time, leases, expired } = leasing();
  const all = entries(2500);
  for (const entry of all) leases.begin(entry);
  time.advance(1000);
  expect(expired.map(({ length }) => length)).toEqual([1024, 1024, 452]);
  expect(expired.flat()).toEqual(all);
});
