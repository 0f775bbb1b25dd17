import { connect, type Posthorn } from "../../../client/index.ts";
import { expectGone } from "./gone.ts";
import type { Tally } from "./tally.ts";

const markers = "markers";

/**
 * A client that knows what of what it did is on disk. A confirm of a message published after something else, on the same
 * session, proves that the latter is on disk too: commits keep the order. The marker goes through a durable queue, for
 * only those wait for the disk.
 */
export class Prover {
  readonly posthorn: Posthorn;
  #unproven: (() => void)[] = [];
  #isProving = false;

  private constructor(posthorn: Posthorn) {
    this.posthorn = posthorn;
  }

  static async connect(url: string): Promise<Prover> {
    const posthorn = await connect(url, { reconnect: false });
    await posthorn.queue(markers).declare();
    return new Prover(posthorn);
  }

  /** Removes the markers of a round. */
  static async clean(posthorn: Posthorn): Promise<void> {
    await posthorn.queue(markers).purge();
  }

  /** What was said has been sent, and the broker has it or is about to. */
  sent(number: number, ...tallies: Tally[]): void {
    for (const tally of tallies) tally.send(number);
    this.prove(number, ...tallies);
  }

  prove(number: number, ...tallies: Tally[]): void {
    this.#unproven.push(() => {
      for (const tally of tallies) tally.prove(number);
    });
    this.#prove().catch(expectGone);
  }

  async #prove(): Promise<void> {
    if (this.#isProving) return;
    this.#isProving = true;
    while (this.#unproven.length > 0) {
      const batch = this.#unproven;
      this.#unproven = [];
      await this.posthorn.queue(markers).publish("marker");
      for (const proven of batch) proven();
    }
    this.#isProving = false;
  }
}
