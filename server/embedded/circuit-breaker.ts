import type { CircuitBreakerSettings } from "../../protocol/queue-settings.ts";
import type { CircuitState, SettleOutcome } from "../engine/engine.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Entry } from "./entry.ts";
import { Offenders } from "./offenders.ts";
import { OutcomeWindow } from "./outcome-window.ts";

/**
 * What should become of a message that has failed. `park`: it fails while others succeed. `aside`: let others be tried before
 * it comes again.
 */
export type CircuitAdvice = "park" | "aside" | undefined;

export interface CircuitBreakerHost {
  /** Milliseconds since 1970, the clock of `deadlines`. */
  readonly now: () => number;
  readonly deadlines: Pick<Deadlines, "create">;
  /** The state has changed. `failed` and `deliveries`: of the window, when it opens. */
  onChange(state: CircuitState, failed: number, deliveries: number): void;
}

/** Of more suspects, the first are forgotten. */
const maxSuspects = 1000;

/**
 * Holds back a queue's deliveries while too many of them fail.
 *
 *     closed ──too many of the window fail──▶ open ──time is up──▶ half-open
 *       ▲                                       ▲                    │  │
 *       │                                       └───the probe fails──┘  │
 *       └──────────────────────the probe succeeds───────────────────────┘
 *
 * In half-open one message goes out, the probe. What was out before counts for nothing while it is not closed.
 *
 * When most failures are of one message, or of one group, that may be to blame rather than what all of them need. If others
 * succeed meanwhile, it is: then it is told to be parked, and its failures do not count. If there are no others to compare it
 * with, it is a suspect: the circuit opens, and others are tried first. Once one of these has succeeded, the next failure of the
 * suspect is proof enough. Whoever succeeds is none any more. A probe that fails makes way for another one, too.
 */
export class CircuitBreaker {
  readonly #settings: CircuitBreakerSettings;
  readonly #host: CircuitBreakerHost;
  readonly #window: OutcomeWindow;
  readonly #offenders = new Offenders();
  /** With how often the circuit had closed by then. */
  readonly #suspects = new Map<string, number>();
  readonly #reopening: Deadline;
  #state: CircuitState = "closed";
  #probe: Entry | undefined;
  #closings = 0;

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

  /** For how long a message is put aside: another one is tried before it. */
  get asideMs(): number {
    return 2 * this.#settings.open;
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
  settled(entry: Entry, outcome: SettleOutcome): CircuitAdvice {
    const isVerdict = outcome !== "return" && outcome !== "release";
    const isProbe = entry === this.#probe;
    if (isProbe) this.#probe = undefined;
    if (!isVerdict || !(isProbe || this.#state === "closed")) return undefined;
    if (outcome !== "ack") return isProbe ? this.#probeFailed() : this.#failed(keyOf(entry));
    this.#succeeded(entry, isProbe);
    return undefined;
  }

  /** Nobody needs it any more. */
  stop(): void {
    this.#reopening.clear();
  }

  #succeeded(entry: Entry, isProbe: boolean): void {
    if (this.#offenders.size + this.#suspects.size > 0) {
      const key = keyOf(entry);
      this.#offenders.forget(key);
      this.#suspects.delete(key);
    }
    if (isProbe) this.#enter("closed");
    else this.#window.count(this.#host.now(), false);
  }

  #probeFailed(): CircuitAdvice {
    this.#enter("open");
    return "aside";
  }

  #failed(key: string): CircuitAdvice {
    const suspectSince = this.#suspects.get(key);
    if (suspectSince !== undefined && suspectSince < this.#closings) return "park";
    const { failureRate, minimum } = this.#settings;
    this.#window.count(this.#host.now(), true);
    this.#offenders.add(key);
    const { succeeded, failed } = this.#window.totals(this.#host.now());
    const deliveries = succeeded + failed;
    if (deliveries < minimum || failed < failureRate * deliveries) return undefined;
    const { worst } = this.#offenders;
    const mayBeToBlame = worst !== undefined && worst.failures > 1 && 2 * worst.failures > failed;
    if (!mayBeToBlame) {
      this.#enter("open", failed, deliveries);
      return undefined;
    }
    const others = failed - worst.failures;
    const othersSucceed = succeeded > 0 && others < failureRate * (succeeded + others);
    // As if the circuit had closed since: the next failure is one too many.
    this.#suspect(worst.key, othersSucceed ? this.#closings - 1 : this.#closings);
    if (othersSucceed) {
      this.#window.forgive(worst.failures);
      this.#offenders.forget(worst.key);
      return worst.key === key ? "park" : undefined;
    }
    this.#enter("open", failed, deliveries);
    return worst.key === key ? "aside" : undefined;
  }

  #suspect(key: string, since: number): void {
    this.#suspects.delete(key);
    this.#suspects.set(key, since);
    if (this.#suspects.size <= maxSuspects) return;
    const [first] = this.#suspects.keys();
    this.#suspects.delete(first!);
  }

  #enter(state: CircuitState, failed = 0, deliveries = 0): void {
    this.#state = state;
    this.#window.clear();
    this.#offenders.clear();
    if (state === "open") this.#reopening.set(this.#host.now() + this.#settings.open);
    if (state === "closed") this.#closings++;
    this.#host.onChange(state, failed, deliveries);
  }
}

/** By what failures are put together: the message's group, or the message. */
function keyOf({ group, lane, seq }: Entry): string {
  return group?.key === undefined ? `message ${lane.id} ${seq}` : `group ${group.key}`;
}
