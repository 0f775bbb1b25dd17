/** What the test knows for certain about one round, whatever the broker says afterwards. */
export class Ledger {
  /** Messages handed to `publish`, in this order. */
  readonly published: number[] = [];
  readonly confirmed = new Set<number>();
  /** By place. */
  readonly #settlements = new Map<string, Settlements>();

  at(place: string): Settlements {
    let settlements = this.#settlements.get(place);
    if (settlements === undefined) {
      settlements = { acked: new Tally(), requeued: new Tally(), rejected: new Tally() };
      this.#settlements.set(place, settlements);
    }
    return settlements;
  }

  /** Acks that are on disk. */
  get acksOnDisk(): number {
    return [...this.#settlements.values()].reduce((sum, { acked }) => sum + acked.numbersOnDisk.length, 0);
  }
}

export interface Settlements {
  readonly acked: Tally;
  readonly requeued: Tally;
  readonly rejected: Tally;
}

/** How often something was said of each message, and how often of that is proven to be on disk by a later confirm of the same session. */
export class Tally {
  readonly #sent = new Map<number, number>();
  readonly #onDisk = new Map<number, number>();

  send(number: number): void {
    this.#sent.set(number, this.sent(number) + 1);
  }

  prove(number: number): void {
    this.#onDisk.set(number, this.onDisk(number) + 1);
  }

  sent(number: number): number {
    return this.#sent.get(number) ?? 0;
  }

  onDisk(number: number): number {
    return this.#onDisk.get(number) ?? 0;
  }

  get numbersOnDisk(): number[] {
    return [...this.#onDisk.keys()];
  }
}

export interface FoundMessage {
  readonly number: number;
  readonly attempts: number;
  /** How often it was rejected. */
  readonly deaths: number;
}

/**
 * What was there after the restart, by places: a queue, or a queue and its dead-letter queue, each in order. A message is once in
 * its place.
 */
export type Found = ReadonlyMap<string, readonly (readonly FoundMessage[])[]>;

/**
 * Holds what was found against the ledger: every confirmed message is there, in order, once, in one of the queues of its place;
 * nothing whose ack was on disk is back; a publish reached all places or none; what was counted on disk is still counted.
 * Returns sentences, none if all is well.
 */
export function problems(ledger: Ledger, found: Found): string[] {
  const list: string[] = [];
  const complain = (place: string, what: string, numbers: number[]) => {
    if (numbers.length > 0)
      list.push(`${place}: ${numbers.length} ${what}: ${numbers.slice(0, 10).join(", ")}`);
  };
  const numbersOf = (messages: readonly FoundMessage[]) => messages.map(({ number }) => number);
  const reached = new Set<number>();
  for (const queues of found.values()) for (const number of numbersOf(queues.flat())) reached.add(number);
  for (const [place, queues] of found) {
    const { acked, requeued, rejected } = ledger.at(place);
    const messages = queues.flat();
    const numbers = numbersOf(messages);
    const here = new Set(numbers);
    const isMissing = (number: number) => !here.has(number) && acked.sent(number) === 0;
    // What has died and come back is at the end.
    const orders = queues.map((queue) => numbersOf(queue.filter(({ deaths }) => deaths === 0)));
    const seen = new Set<number>();
    complain(
      place,
      "twice",
      numbers.filter((number) => seen.has(number) || !seen.add(number)),
    );
    complain(
      place,
      "out of order",
      orders.flatMap((order) => order.filter((number, i) => i > 0 && number < order[i - 1]!)),
    );
    complain(place, "confirmed and lost", [...ledger.confirmed].filter(isMissing));
    complain(
      place,
      "acked on disk and back",
      numbers.filter((number) => acked.onDisk(number) > 0),
    );
    complain(place, "in another place but not here", [...reached].filter(isMissing));
    complain(
      place,
      "with a wrong count of rejections",
      numbersOf(messages.filter(({ number, deaths }) => !isBetween(rejected, number, deaths))),
    );
    complain(
      place,
      "with a wrong count of attempts",
      // They begin anew when it is dead-lettered.
      numbersOf(
        messages.filter(
          ({ number, attempts, deaths }) => deaths === 0 && !isBetween(requeued, number, attempts),
        ),
      ),
    );
  }
  return list;
}

function isBetween(tally: Tally, number: number, found: number): boolean {
  return tally.onDisk(number) <= found && found <= tally.sent(number);
}
