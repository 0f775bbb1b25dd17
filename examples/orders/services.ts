/** The services that live on order events. Each has a durable queue of its name. */
export interface Service {
  readonly name: string;
  /** Which events its queue gets: `*` is one word of the routing key, `#` any number of them. */
  readonly bindings: readonly string[];
  /** What it therefore knows; the rest of its totals stays zero. */
  readonly counts: readonly ("orders" | "lines" | "revenueE4" | "shipped" | "late")[];
}

export const services: readonly Service[] = [
  { name: "billing", bindings: ["order.*.line"], counts: ["lines", "revenueE4"] },
  { name: "shipping", bindings: ["order.*.placed", "order.*.shipped"], counts: ["orders", "shipped"] },
  { name: "alerts", bindings: ["order.*.late"], counts: ["late"] },
  { name: "analytics", bindings: ["order.#"], counts: ["orders", "lines", "revenueE4", "shipped", "late"] },
];

/** Type of the message that ends the replay; it is put into each service's queue behind the last event. */
export const endOfReplay = "end-of-replay";
