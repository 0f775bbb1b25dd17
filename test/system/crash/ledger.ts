import type { BrowsedMessage } from "../../../client/index.ts";
import { isBetween, Tally } from "./tally.ts";

/** Of the queues that have one. */
export const deliveryLimit = 3;

/** What the test knows for certain about one round, whatever the broker says afterwards. */
export class Ledger {
  /** Messages handed to `publish`, in this order. */
  readonly published: number[] = [];
  readonly confirmed = new Set<number>();
  /** By place. */
  readonly #deeds = new Map<string, Deeds>();

  at(place: string): Deeds {
    let deeds = this.#deeds.get(place);
    if (deeds === undefined) {
      deeds = {
        acked: new Tally(),
        requeued: new Tally(),
        rejected: new Tally(),
        delayed: new Tally(),
        released: new Tally(),
      };
      this.#deeds.set(place, deeds);
    }
    return deeds;
  }

  /** Acks that are on disk. */
  get acksOnDisk(): number {
    return [...this.#deeds.values()].reduce((sum, { acked }) => sum + acked.numbersOnDisk.length, 0);
  }
}

/** What was done to messages. */
export interface Deeds {
  readonly acked: Tally;
  /** With or without a delay. */
  readonly requeued: Tally;
  readonly rejected: Tally;
  /** Requeued with a delay that outlasts the round. */
  readonly delayed: Tally;
  /** Released when they were parked. */
  readonly released: Tally;
}

export interface FoundMessage {
  readonly number: number;
  readonly attempts: number;
  /** The number that the reason of its last attempt gave it. */
  readonly lastAttempt: number | undefined;
  /** How often it was rejected. */
  readonly rejections: number;
  /** How often it was delivered too often, and dead-lettered for it. */
  readonly givenUp: number;
  readonly state: BrowsedMessage["state"];
}

/**
 * What was there after the restart, by places: a queue, or a queue and its dead-letter queue, each in order. A message is once in
 * its place.
 */
export type Found = ReadonlyMap<string, readonly (readonly FoundMessage[])[]>;

/**
 * Holds what was found against the ledger: every confirmed message is there, in order, once, in one of the queues of its place;
 * nothing whose ack was on disk is back; a publish reached all places or none; what was counted on disk is still counted; what was
 * parked or delayed is, unless it was released. Returns sentences, none if all is well.
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
    const deeds = ledger.at(place);
    const { acked } = deeds;
    const messages = queues.flat();
    const numbers = numbersOf(messages);
    const here = new Set(numbers);
    const isMissing = (number: number) => !here.has(number) && acked.sent(number) === 0;
    // What has died and come back is at the end.
    const orders = queues.map((queue) => numbersOf(queue.filter((message) => !hasDied(message))));
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
    for (const [what, isRight] of rules)
      complain(place, what, numbersOf(messages.filter((message) => !isRight(message, deeds))));
  }
  return list;
}

/** What has to hold for each message that is there. */
const rules: readonly (readonly [wrong: string, isRight: (found: FoundMessage, deeds: Deeds) => boolean])[] =
  [
    [
      "with a wrong count of rejections",
      ({ number, rejections }, { rejected }) => isBetween(rejected, number, rejections),
    ],
    ["with a wrong count of attempts", hasRightAttempts],
    [
      "with another reason than that of the last attempt",
      (message) => hasDied(message) || (message.lastAttempt ?? 0) === message.attempts,
    ],
    [
      "parked or not, against what was released",
      ({ number, attempts, state }, { released }) =>
        isBetween(released, number, timesParked(attempts) - (state === "parked" ? 1 : 0)),
    ],
    [
      "delayed on disk and back at once",
      ({ number, state }, { delayed }) => delayed.onDisk(number) === 0 || state === "delayed",
    ],
    [
      "delayed and never given back",
      ({ number, state }, { requeued }) => state !== "delayed" || requeued.sent(number) > 0,
    ],
  ];

function hasDied({ rejections, givenUp }: FoundMessage): boolean {
  return rejections + givenUp > 0;
}

/** Attempts begin anew when a message is dead-lettered: how many there were is known of those that were given up. */
function hasRightAttempts(
  { number, attempts, rejections, givenUp }: FoundMessage,
  { requeued }: Deeds,
): boolean {
  const known = givenUp * deliveryLimit + attempts;
  return rejections === 0 ? isBetween(requeued, number, known) : known <= requeued.sent(number);
}

/** Each attempt from the last on parks a message. */
function timesParked(attempts: number): number {
  return Math.max(0, attempts - deliveryLimit + 1);
}
