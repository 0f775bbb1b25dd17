import type { CircuitState } from "../engine/engine.ts";
import type { LaggingClock } from "./clock-lag.ts";
import type { OverloadLimits } from "./overload.ts";
import type { Store } from "./store/store.ts";
import type { TopologyLimits } from "./topology.ts";

export interface ConsumerLimits {
  /** Most bytes of a consumer's unsettled deliveries, if neither it nor its queue says anything. */
  readonly defaultPrefetchBytes: number;
  readonly maxPrefetchBytes: number;
}

export interface EmbeddedEngineOptions {
  readonly store: Store;
  readonly limits: TopologyLimits & ConsumerLimits;
  /** All queues together keep about this much in memory; beyond, each pages earlier. */
  readonly memoryBudgetBytes: number;
  /** What one queue keeps in memory before it pages. */
  readonly queueMemoryBytes: number;
  /** Bytes of publishes not on disk yet, above which the engine is congested. */
  readonly maxUncommittedBytes: number;
  /** When publishing stops for want of disk or memory. Default: never. */
  readonly overload?: OverloadLimits;
  /** Calls back at the end of the present turn of the event loop, as `setImmediate`. */
  readonly defer: (callback: () => void) => void;
  /** Milliseconds since 1970: what is due in queues is due by this clock. */
  readonly now: () => number;
  /** The clock behind `now`, if it should go on over restarts where it was: see {@link ClockLag}. */
  readonly steadyClock?: LaggingClock;
  /** Calls back after some milliseconds; must not keep the process alive. */
  readonly delay: (delayMs: number, callback: () => void) => void;
  /** At least 0 and less than 1, all equally likely, as `Math.random`. */
  readonly random: () => number;
  readonly events: EmbeddedEngineEvents;
}

export interface EmbeddedEngineEvents {
  /** Nothing may be confirmed any more: the process has to stop. */
  onFailure(error: unknown): void;
  /** A queue's messages cannot be read; it delivers nothing from now on. */
  onDamage(queue: string, error: unknown): void;
  /**
   * A message should have gone on to what `argument` of the exchange or queue `of` names, and that is not there. Told once
   * for each `of`.
   */
  onMissingTarget(argument: MissingTarget, target: string, of: string): void;
  /** A queue's circuit breaker has changed its state. `failed` and `deliveries`: what made it open. */
  onCircuitChange(queue: string, state: CircuitState, failed: number, deliveries: number): void;
}

/** An argument that names where messages go on to. */
export type MissingTarget = "alternateExchange" | "deadLetterExchange" | "deadLetterQueue";
