import type { SettleDetail } from "../protocol/delivery-history.ts";
import type { Outcome } from "../protocol/frames.ts";

/** The settlements of one consumer with one outcome since the last flush. */
interface Pile {
  readonly consumer: number;
  readonly outcome: Outcome;
  deliveries: number[];
  ascending: boolean;
}

/**
 * Collects what was settled in one tick and tells it in ranges: a thousand acks in a row are one frame. Only numbers
 * that are really there make a range; holes are never bridged.
 */
export class Settlements {
  readonly #piles: Pile[] = [];
  /** Those that say more than the outcome: told one by one. */
  readonly #detailed: [consumer: number, delivery: number, outcome: Outcome, detail: SettleDetail][] = [];
  #last: Pile | undefined;

  get empty(): boolean {
    return this.#piles.length === 0 && this.#detailed.length === 0;
  }

  add(consumer: number, delivery: number, outcome: Outcome, detail?: SettleDetail): void {
    if (detail !== undefined) {
      this.#detailed.push([consumer, delivery, outcome, detail]);
      return;
    }
    let pile = this.#last;
    if (pile === undefined || pile.consumer !== consumer || pile.outcome !== outcome) {
      pile = this.#piles.find((other) => other.consumer === consumer && other.outcome === outcome);
      if (pile === undefined) {
        pile = { consumer, outcome, deliveries: [], ascending: true };
        this.#piles.push(pile);
      }
      this.#last = pile;
    }
    const { deliveries } = pile;
    if (deliveries.length > 0 && delivery < deliveries[deliveries.length - 1]!) pile.ascending = false;
    deliveries.push(delivery);
  }

  /** Tells every range once and forgets it. */
  drain(
    tell: (consumer: number, first: number, last: number, outcome: Outcome, detail?: SettleDetail) => void,
  ): void {
    for (const [consumer, delivery, outcome, detail] of this.#detailed.splice(0))
      tell(consumer, delivery, delivery, outcome, detail);
    for (const { consumer, outcome, deliveries, ascending } of this.#piles) {
      if (!ascending) deliveries.sort((a, b) => a - b);
      let first = deliveries[0]!;
      let last = first;
      for (let i = 1; i < deliveries.length; i++) {
        const delivery = deliveries[i]!;
        if (delivery !== last + 1) {
          tell(consumer, first, last, outcome);
          first = delivery;
        }
        last = delivery;
      }
      tell(consumer, first, last, outcome);
    }
    this.#piles.length = 0;
    this.#last = undefined;
  }
}
