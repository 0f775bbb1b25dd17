/**
 * Who has been silent for how long. Any byte from a client is a sign of life (SEMANTICS 10), so a large message on a slow
 * line is not silence; and the broker owes a heartbeat only if it has sent nothing else.
 */
export class Liveness {
  #heardAtMs: number;
  #sentAtMs: number;
  #receivedBytes = 0;
  #sentBytes = 0;
  #heard = false;

  constructor(nowMs: number) {
    this.#heardAtMs = nowMs;
    this.#sentAtMs = nowMs;
  }

  /** The client has been heard, or silence is not its fault. Counts as of the next look. */
  heard(): void {
    this.#heard = true;
  }

  /** Takes note of what has been received and sent in all. */
  look(nowMs: number, receivedBytes: number, sentBytes: number): void {
    if (this.#heard || receivedBytes !== this.#receivedBytes) this.#heardAtMs = nowMs;
    if (sentBytes !== this.#sentBytes) this.#sentAtMs = nowMs;
    this.#heard = false;
    this.#receivedBytes = receivedBytes;
    this.#sentBytes = sentBytes;
  }

  /** Nothing has come for two intervals. */
  isDead(nowMs: number, heartbeatMs: number): boolean {
    return heartbeatMs > 0 && nowMs - this.#heardAtMs >= 2 * heartbeatMs;
  }

  /** Nothing has been sent for half an interval. */
  owesHeartbeat(nowMs: number, heartbeatMs: number): boolean {
    return heartbeatMs > 0 && nowMs - this.#sentAtMs >= heartbeatMs / 2;
  }
}
