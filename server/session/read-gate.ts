/** Why a session does not read. */
export type HoldReason =
  /** Too much waits to be sent to the client. */
  | "overfull"
  /** Too much waits for the disk. */
  | "congested";

/** Reading is stopped while there is a reason to. */
export class ReadGate {
  readonly #socket: { pause(): void; resume(): void };
  readonly #reasons = new Set<HoldReason>();

  constructor(socket: { pause(): void; resume(): void }) {
    this.#socket = socket;
  }

  isHeldBy(reason: HoldReason): boolean {
    return this.#reasons.has(reason);
  }

  hold(reason: HoldReason): void {
    if (this.#reasons.size === 0) this.#socket.pause();
    this.#reasons.add(reason);
  }

  release(reason: HoldReason): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#socket.resume();
  }
}
