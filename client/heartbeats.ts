import type { Runtime } from "./runtime.ts";

export interface HeartbeatHost {
  sendHeartbeat(): void;
  /** Nothing was heard for two intervals. */
  silent(): void;
}

/**
 * Sends a heartbeat after half an interval of saying nothing, and notices two intervals of hearing nothing. It looks
 * four times an interval; in between, traffic only sets a flag, so that a message costs no look at the clock.
 */
export class Heartbeats {
  readonly #intervalMs: number;
  readonly #runtime: Runtime;
  readonly #host: HeartbeatHost;
  #timer: unknown;
  #lookedAt: number;
  #heardAt: number;
  #sentAt: number;
  #heard = false;
  #sent = false;
  /** The last look was late, so what had come meanwhile may not have been read then. */
  #late = false;

  constructor(intervalMs: number, runtime: Runtime, host: HeartbeatHost) {
    this.#intervalMs = intervalMs;
    this.#runtime = runtime;
    this.#host = host;
    this.#lookedAt = this.#heardAt = this.#sentAt = runtime.now();
    this.#arm();
  }

  sent(): void {
    this.#sent = true;
  }

  heard(): void {
    this.#heard = true;
  }

  /**
   * The broker's heartbeat came. Timers of a tab in the background may be a minute apart, messages are not held back:
   * so this, too, is a moment to speak up.
   */
  heardHeartbeat(): void {
    this.#speak(this.#runtime.now());
  }

  stop(): void {
    this.#runtime.clearTimer(this.#timer);
  }

  #arm(): void {
    this.#timer = this.#runtime.setTimer(() => this.#look(), this.#intervalMs / 4);
  }

  #look(): void {
    const now = this.#runtime.now();
    const wasLate = this.#late;
    this.#late = now - this.#lookedAt > this.#intervalMs / 2;
    this.#lookedAt = now;
    if (this.#heard) {
      this.#heard = false;
      this.#heardAt = now;
    } else if (now - this.#heardAt >= this.#intervalMs * 2 && (!this.#late || wasLate)) {
      // One look of grace after a late one: the machine slept or the tab was throttled.
      this.#host.silent();
      return;
    }
    this.#arm();
    this.#speak(now);
  }

  #speak(now: number): void {
    if (this.#sent) {
      this.#sent = false;
      this.#sentAt = now;
    } else if (now - this.#sentAt >= this.#intervalMs / 2) {
      this.#host.sendHeartbeat();
      this.#sentAt = now;
      this.#sent = false;
    }
  }
}
