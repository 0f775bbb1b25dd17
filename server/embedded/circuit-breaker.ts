import type { CircuitBreakerSettings } from "../../protocol/queue-settings.ts";
import type { CircuitState, SettleOutcome } from "../engine/engine.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Entry } from "./entry.ts";
import { OutcomeWindow } from "./outcome-window.ts";

export interface CircuitBreakerHost {
  /** Milliseconds since 1970, the clock of `deadlines`. */
  readonly now: () => number;
  readonly deadlines: Pick<Deadlines, "create">;
  /** The state has changed. `failed` and `deliveries`: of the window, when it opens. */
  onChange(state: CircuitState, failed: number, deliveries: number): void;
}

/**
 * Holds back a queue's deliveries while too many of them fail.
 *
 *     closed ──too many of the window fail──▶ open ──time is up──▶ half-open
 *       ▲                                       ▲                    │  │
 *       │                                       └───the probe fails──┘  │
 *       └──────────────────────the probe succeeds───────────────────────┘
 *
 * In half-open one message goes out, the probe. What was out before counts for nothing while it is not closed.
 */
export class CircuitBreaker {
  readonly #settings: CircuitBreakerSettings;
  readonly #host: CircuitBreakerHost;
  readonly #window: OutcomeWindow;
  readonly #reopening: Deadline;
  #state: CircuitState = "closed";
  #probe: Entry | undefined;

  constructor(settings: CircuitBreakerSettings, host: CircuitBreakerHost) {
    this.#settings = settings;
    this.#host = host;
    this.#window = new OutcomeWindow(settings.window);
    this.#reopening = host.deadlines.create(() => this.#enter("half-open"));
  }

  /** Whether these are the settings that it has. */
  goesBy(settings: CircuitBreakerSettings): boolean {
    const { failureRate, minimum, window, open } = this.#settings;
    return (
      failureRate === settings.failureRate &&
      minimum === settings.minimum &&
      window === settings.window &&
      open === settings.open
    );
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** How many messages may go out now, at most `maximum`. */
  allowance(maximum: number): number {
    if (this.#state === "closed") return maximum;
    return this.#state === "half-open" && this.#probe === undefined ? 1 : 0;
  }

  /** A message goes out. */
  handedOut(entry: Entry): void {
    if (this.#state === "half-open") this.#probe = entry;
  }

  /** What became of a message that has gone out. */
  settled(entry: Entry, outcome: SettleOutcome): void {
    const isVerdict = outcome !== "return" && outcome !== "release";
    const hasFailed = outcome !== "ack";
    if (entry === this.#probe) {
      this.#probe = undefined;
      if (isVerdict) this.#enter(hasFailed ? "open" : "closed");
    } else if (isVerdict && this.#state === "closed") {
      this.#window.count(this.#host.now(), hasFailed);
      if (hasFailed) this.#judge();
    }
  }

  /** Nobody needs it any more. */
  stop(): void {
    this.#reopening.clear();
  }

  #judge(): void {
    const { succeeded, failed } = this.#window.totals(this.#host.now());
    const deliveries = succeeded + failed;
    const { minimum, failureRate } = this.#settings;
    if (deliveries >= minimum && failed >= failureRate * deliveries) this.#enter("open", failed, deliveries);
  }

  #enter(state: CircuitState, failed = 0, deliveries = 0): void {
    this.#state = state;
    this.#window.clear();
    if (state === "open") this.#reopening.set(this.#host.now() + this.#settings.open);
    this.#host.onChange(state, failed, deliveries);
  }
}
