import type { OrderEvent } from "./events.ts";
import type { AmountE4 } from "./money.ts";

export interface Totals {
  orders: number;
  lines: number;
  /** After discount. */
  revenueE4: AmountE4;
  shipped: number;
  late: number;
  revenueE4ByCountry: Record<string, AmountE4>;
}

/**
 * What a service keeps: totals of the events that it has seen. The broker delivers at least once: an event whose ack or
 * confirm was lost with the connection comes a second time. So each is counted by its id, once.
 */
export class Tally {
  readonly totals: Totals = {
    orders: 0,
    lines: 0,
    revenueE4: 0,
    shipped: 0,
    late: 0,
    revenueE4ByCountry: {},
  };
  /** Events that came again and were not counted again. */
  repeats = 0;
  readonly #seen = new Set<string>();

  /** Different events. */
  get events(): number {
    return this.#seen.size;
  }

  count(event: OrderEvent): void {
    if (this.#seen.has(event.id)) {
      this.repeats++;
      return;
    }
    this.#seen.add(event.id);
    const { totals } = this;
    switch (event.kind) {
      case "placed":
        totals.orders++;
        break;
      case "line":
        totals.lines++;
        totals.revenueE4 += event.revenueE4;
        totals.revenueE4ByCountry[event.country] =
          (totals.revenueE4ByCountry[event.country] ?? 0) + event.revenueE4;
        break;
      case "shipped":
        totals.shipped++;
        break;
      case "late":
        totals.late++;
        break;
    }
  }
}
