import type { Latency } from "./latency.ts";

export interface ScenarioOptions {
  /** Numbers from 0 to below 1 that a seed repeats. */
  readonly random: () => number;
  /** 1: the long form. */
  readonly scale: number;
}

export interface ScenarioResult {
  /** Of the victim, before. */
  readonly control: Latency;
  /** Of the victim, meanwhile. */
  readonly under: Latency;
  /** What happened, in words. */
  readonly facts: readonly string[];
  /** What users rely on and did not get. */
  readonly problems: readonly string[];
}

/** One kind of overload. */
export interface Scenario {
  readonly name: string;
  /** What a victim does while what happens to the broker. */
  readonly summary: string;
  /** Rejects with {@link NotPossibleHere} where the machine does not allow it. */
  run(options: ScenarioOptions): Promise<ScenarioResult>;
}

export class NotPossibleHere extends Error {}
