import type { Lane } from "./lane.ts";

/**
 * The lanes of a queue with priorities: one for each that a message has had, so that each is in order by itself, and takes nothing
 * while it is not used (SEMANTICS 48).
 */
export class PriorityLanes {
  readonly #byLevel = new Map<number, Lane>();
  #highestFirst: readonly Lane[] = [];

  /** @param lowest That of priority 0. */
  constructor(lowest: Lane) {
    this.add(0, lowest);
  }

  add(level: number, lane: Lane): void {
    this.#byLevel.set(level, lane);
    this.#highestFirst = [...this.#byLevel].sort(([one], [other]) => other - one).map(([, each]) => each);
  }

  get(level: number): Lane | undefined {
    return this.#byLevel.get(level);
  }

  /** The highest first. */
  get all(): readonly Lane[] {
    return this.#highestFirst;
  }

  /** The ids of all but the lowest, by level. */
  get ids(): { readonly [level: string]: number } {
    const above = [...this.#byLevel].filter(([level]) => level > 0);
    return Object.fromEntries(above.map(([level, { id }]) => [level, id]));
  }

  get readyCount(): number {
    let count = 0;
    for (const { ready } of this.#highestFirst) count += ready.length;
    return count;
  }

  /** Of the bodies. */
  get readyBytes(): number {
    let bytes = 0;
    for (const { ready } of this.#highestFirst) bytes += ready.bytes;
    return bytes;
  }

  /** The highest of which something is ready; the lowest if there is none. */
  get first(): Lane {
    const lanes = this.#highestFirst;
    return lanes.find(hasReady) ?? lanes.at(-1)!;
  }

  /** The lowest of which something is ready; the highest if there is none. */
  get last(): Lane {
    const lanes = this.#highestFirst;
    return lanes.findLast(hasReady) ?? lanes[0]!;
  }
}

function hasReady({ ready }: Lane): boolean {
  return ready.length > 0;
}
