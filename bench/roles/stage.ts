import type { Order, Report, SetUp } from "./task.ts";

/** A load generator's side of the talk with the process that started it. */
export class Stage {
  #expected = Number.POSITIVE_INFINITY;
  #consumed = 0;
  readonly #changed: (() => void)[] = [];
  readonly #go: Promise<void>;

  constructor() {
    let go = () => {};
    this.#go = new Promise((resolve) => {
      go = resolve;
    });
    process.on("message", (message: Order) => {
      if (message.order === "go") go();
      // Connections end with the process.
      else if (message.order === "leave") process.exit();
      else if (message.order === "expect") this.#expected = message.count;
      else if (message.order === "consumed") this.#consumed = message.count;
      for (const changed of this.#changed) changed();
    });
  }

  /** How many messages a consumer is to wait for; Infinity until that is known. */
  get expected(): number {
    return this.#expected;
  }

  /** What the consumers say they have. */
  get consumed(): number {
    return this.#consumed;
  }

  onChange(changed: () => void): void {
    this.#changed.push(changed);
  }

  tell(report: Report): void {
    process.send?.(report);
  }

  /** Everything is set up: says so and waits for the start. */
  async ready(setUp: SetUp = {}): Promise<void> {
    this.tell({ report: "ready", ...setUp });
    await this.#go;
  }
}
