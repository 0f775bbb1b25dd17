/** Why a session does not read. */
export type HoldReason =
  /** Too much waits to be sent to the client. */
  | "overfull"
  /** Requests are under way whose answers may be large or many. */
  | "answering"
  /** Too much waits for the disk. */
  | "congested";

/**
 * Reading is stopped while there is a reason to.
 *
 * The socket may have read a good deal already, and handling it makes answers: ten bytes can ask for a message of
 * megabytes. So what arrives while the reason is answers is kept and handled later, in order. A full disk queue is no
 * reason to keep back: what has been read is bounded, and its client may have closed behind it.
 */
export class ReadGate {
  readonly #socket: { pause(): void; resume(): void };
  readonly #handle: (data: string | Uint8Array) => void;
  readonly #reasons = new Set<HoldReason>();
  /** From `#next` on: read, and not handled yet. */
  #kept: (string | Uint8Array)[] = [];
  #next = 0;
  #isWorking = false;
  /** Nothing is to be handled at the moment. */
  isShut = false;

  constructor(socket: { pause(): void; resume(): void }, handle: (data: string | Uint8Array) => void) {
    this.#socket = socket;
    this.#handle = handle;
  }

  isHeldBy(reason: HoldReason): boolean {
    return this.#reasons.has(reason);
  }

  /** Handles what has arrived, or keeps it. */
  arrive(data: string | Uint8Array): void {
    this.#kept.push(data);
    this.#work();
  }

  /** Puts back what is left of the message that is being handled. */
  putBack(rest: Uint8Array): void {
    this.#kept[--this.#next] = rest;
  }

  hold(reason: HoldReason): void {
    if (this.#reasons.size === 0) this.#socket.pause();
    this.#reasons.add(reason);
    this.#setShut();
  }

  release(reason: HoldReason): void {
    if (!this.#reasons.delete(reason)) return;
    this.#setShut();
    this.#work();
    if (this.#reasons.size === 0) this.#socket.resume();
  }

  #setShut(): void {
    this.isShut = this.#reasons.has("overfull") || this.#reasons.has("answering");
  }

  #work(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    try {
      while (!this.isShut && this.#next < this.#kept.length) this.#handle(this.#kept[this.#next++]!);
    } finally {
      this.#isWorking = false;
    }
    if (this.#next < this.#kept.length) return;
    this.#kept.length = 0;
    this.#next = 0;
  }
}
