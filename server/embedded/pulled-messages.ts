import type { Entry } from "./entry.ts";
import type { Holder } from "./holder.ts";
import type { Leases } from "./leases.ts";

/** What somebody has taken from a queue one by one and has to settle in time. */
export class PulledMessages implements Holder {
  readonly #leases: Leases;

  constructor(leases: Leases) {
    this.#leases = leases;
  }

  /** Whoever pulls works on what he has pulled. */
  readonly hasOne = true;

  took(entry: Entry): void {
    this.#leases.begin(entry);
  }

  released(entry: Entry): void {
    this.#leases.end(entry);
  }

  touch(entry: Entry): void {
    this.#leases.touch(entry);
  }
}
