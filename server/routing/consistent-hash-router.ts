import type { HashOn } from "../../protocol/arguments.ts";
import type { TextProperty } from "../../protocol/envelope.ts";
import type { Headers } from "../../protocol/header-value.ts";
import { valueIdentity } from "./binding-identity.ts";
import type { MessageFacts } from "./routed-message.ts";
import type { Router, RouterOptions } from "./router.ts";
import { hashText, scramble } from "./text-hash.ts";

/** A binding's routing key is its weight. */
const maxWeight = 1000;

/** What takes part in the draw for a destination. */
interface Lot<D> {
  readonly destination: D;
  readonly name: string;
  readonly seed: number;
  readonly secondSeed: number;
  /** The weights of all its bindings together. */
  weight: number;
  /** Its place among the lots of the same weight. */
  at: number;
}

/**
 * Sends each message to one destination, the same for the same routing key (or header, or property), each getting a share of
 * the keys that is proportional to its weight.
 *
 * Weighted rendezvous hashing: for a key every destination draws a number that depends on both and on nothing else, and the
 * highest wins. So when a destination comes, the keys that it wins move to it, and when it goes, only its own move: no more can
 * be asked for. There is no ring to be built, shares are as even as chance, and the order of bindings plays no part.
 *
 * A number drawn with weight w is u^(1/w), u being uniform between 0 and 1. It grows with u, so among lots of the same weight u
 * decides, a few integer operations each (about 3 ns); only the best of each weight are compared by their logarithms.
 */
export class ConsistentHashRouter<D> implements Router<D> {
  readonly keyOnly: boolean;
  readonly #hashOn: HashOn;
  readonly #nameOf: (destination: D) => string;
  readonly #lots = new Map<D, Lot<D>>();
  readonly #byWeight = new Map<number, Lot<D>[]>();

  constructor({ arguments: { hashOn = { by: "routingKey" } }, nameOf }: RouterOptions<D>) {
    this.keyOnly = hashOn.by === "routingKey";
    this.#hashOn = hashOn;
    this.#nameOf = nameOf;
  }

  bind(routingKey: string, _args: Headers, destination: D): void {
    let lot = this.#lots.get(destination);
    if (lot === undefined) {
      const name = this.#nameOf(destination);
      // Two seeds: with 32 bits alone, one pair among 10,000 names would be equal now and then, and one of it get nothing.
      lot = { destination, name, seed: hashText(name, 1), secondSeed: hashText(name, 2), weight: 0, at: 0 };
      this.#lots.set(destination, lot);
    }
    this.#weigh(lot, lot.weight + Number(routingKey));
  }

  unbind(routingKey: string, _args: Headers, destination: D): void {
    const lot = this.#lots.get(destination);
    if (lot === undefined) return;
    this.#weigh(lot, lot.weight - Number(routingKey));
    if (lot.weight === 0) this.#lots.delete(destination);
  }

  match(routingKey: string, facts: MessageFacts, into: Set<D>): void {
    const hash = hashText(this.#textOf(routingKey, facts), 0);
    let winner: Lot<D> | undefined;
    let highest = Number.NEGATIVE_INFINITY;
    for (const [weight, lots] of this.#byWeight) {
      const best = highestOf(lots, hash);
      // As an unsigned number; comparing is faster with a sign.
      const number = Math.log((draw(hash, best) + 2 ** 31 + 0.5) / 2 ** 32) / weight;
      if (winner !== undefined && (number < highest || (number === highest && winner.name < best.name)))
        continue;
      winner = best;
      highest = number;
    }
    if (winner !== undefined) into.add(winner.destination);
  }

  /** What is hashed. Messages without the header or property are all alike. */
  #textOf(routingKey: string, facts: MessageFacts): string {
    const { by, name = "" } = this.#hashOn;
    if (by === "routingKey") return routingKey;
    if (by === "property") return facts.property(name as TextProperty) ?? "";
    const headers = facts.headers();
    if (!Object.hasOwn(headers, name)) return "";
    const value = headers[name]!;
    return typeof value === "string" ? value : valueIdentity(value);
  }

  /** Moves a lot to its place among those of its new weight; 0: nowhere. */
  #weigh(lot: Lot<D>, weight: number): void {
    const former = this.#byWeight.get(lot.weight);
    if (former !== undefined) {
      const last = former.pop()!;
      if (last !== lot) {
        former[lot.at] = last;
        last.at = lot.at;
      }
      if (former.length === 0) this.#byWeight.delete(lot.weight);
    }
    lot.weight = weight;
    if (weight === 0) return;
    const lots = this.#byWeight.get(weight) ?? [];
    if (lots.length === 0) this.#byWeight.set(weight, lots);
    lot.at = lots.push(lot) - 1;
  }
}

/** Says what is wrong with a weight; undefined if nothing is. */
export function checkWeight(routingKey: string): string | undefined {
  if (/^[1-9]\d{0,3}$/.test(routingKey) && Number(routingKey) <= maxWeight) return undefined;
  const given = JSON.stringify(routingKey);
  return `The routing key of a binding to a consistent-hash exchange is its weight, a whole number from 1 to ${maxWeight}; it is ${given}.`;
}

/** The lot that draws the highest number, and of several that do the one whose name comes first. */
function highestOf<D>(lots: readonly Lot<D>[], hash: number): Lot<D> {
  let best = lots[0]!;
  let highest = draw(hash, best);
  for (let i = 1; i < lots.length; i++) {
    const lot = lots[i]!;
    const drawn = draw(hash, lot);
    if (drawn < highest || (drawn === highest && best.name < lot.name)) continue;
    best = lot;
    highest = drawn;
  }
  return best;
}

/** The number that a lot draws for a hash: 32 bits, with a sign. */
function draw(hash: number, lot: Lot<unknown>): number {
  return scramble((scramble(hash ^ lot.seed) + lot.secondSeed) | 0);
}
