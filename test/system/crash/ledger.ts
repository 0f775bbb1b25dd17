/** What the test knows for certain about one round, whatever the broker says afterwards. */
export class Ledger {
  /** Messages handed to `publish`, in this order. */
  readonly published: number[] = [];
  readonly confirmed = new Set<number>();
  /** By queue: acks and rejects sent. Whether they arrived in time is another question. */
  readonly settled = new Map<string, Set<number>>();
  /** By queue: acks that a later confirm of the same session proves to be on disk. */
  readonly acked = new Map<string, Set<number>>();

  of(sets: Map<string, Set<number>>, queue: string): Set<number> {
    let set = sets.get(queue);
    if (set === undefined) {
      set = new Set();
      sets.set(queue, set);
    }
    return set;
  }
}

/** What a queue held after the restart, in order. */
export type Found = ReadonlyMap<string, readonly number[]>;

/**
 * Holds what was found against the ledger: every confirmed message is there, in order, once; nothing whose ack was on disk
 * is back; a publish reached all queues or none. Returns sentences, none if all is well.
 */
export function problems(ledger: Ledger, found: Found): string[] {
  const list: string[] = [];
  const complain = (queue: string, what: string, numbers: number[]) => {
    if (numbers.length > 0)
      list.push(`${queue}: ${numbers.length} ${what}: ${numbers.slice(0, 10).join(", ")}`);
  };
  const reached = new Set<number>();
  for (const numbers of found.values()) for (const number of numbers) reached.add(number);
  for (const [queue, numbers] of found) {
    const here = new Set(numbers);
    const acked = ledger.of(ledger.acked, queue);
    const settled = ledger.of(ledger.settled, queue);
    complain(
      queue,
      "twice",
      numbers.filter((number, i) => numbers.indexOf(number) !== i),
    );
    complain(
      queue,
      "out of order",
      numbers.filter((number, i) => i > 0 && number < numbers[i - 1]!),
    );
    complain(
      queue,
      "confirmed and lost",
      [...ledger.confirmed].filter((number) => !here.has(number) && !settled.has(number)),
    );
    complain(
      queue,
      "acked on disk and back",
      numbers.filter((number) => acked.has(number)),
    );
    complain(
      queue,
      "in another queue but not here",
      [...reached].filter((number) => !here.has(number) && !settled.has(number)),
    );
  }
  return list;
}
