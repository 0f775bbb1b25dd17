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

/** Whether something can have happened `found` times to a message: as often as is proven, and no more often than it was sent. */
export function isBetween(tally: Tally, number: number, found: number): boolean {
  return tally.onDisk(number) <= found && found <= tally.sent(number);
}
