export interface RouteCacheLimits {
  /** How many routing keys are remembered. Default 10,000; at least 2. */
  readonly maxKeys?: number;
  /**
   * How many destinations are remembered, summed over all keys: 10,000 keys to 5,000 dashboards each would be
   * 400 MB of references. Default 1,000,000 (8 MB). A key with more than half of it
   * has a generation to itself.
   */
  readonly maxDestinations?: number;
}

/** After so many look-ups it is judged whether the cache is any use: */
const judgedLookups = 1024;
/** with fewer hits than this */
const leastHits = 64;
/** so many look-ups do without it. */
const passedLookups = 10_000;

/**
 * Remembers, for one exchange, where a routing key leads, also if it leads nowhere. Only for what depends on the key alone;
 * whoever changes a binding of the exchange calls `clear`, and where routes lead on through other exchanges, `holdFor` is
 * called before each `get`.
 *
 * Two generations instead of a least-recently-used list: a hit in the recent one is a single map lookup and moves nothing.
 * When the recent one has used half of a limit it becomes the older one, and what was in that and has not been asked for
 * since is dropped.
 *
 * Where hardly any key comes twice, remembering costs more than matching anew. So when few of a thousand look-ups have hit,
 * the next ten thousand are not even tried.
 */
export class RouteCache<D> {
  #lookups = 0;
  #hits = 0;
  /** So many look-ups from now are passed by. */
  #passing = 0;
  #recent = new Map<string, readonly D[]>();
  #older = new Map<string, readonly D[]>();
  #recentDestinations = 0;
  #generation = -1;
  readonly #maxKeysPerGeneration: number;
  readonly #maxDestinationsPerGeneration: number;

  constructor({ maxKeys = 10_000, maxDestinations = 1_000_000 }: RouteCacheLimits = {}) {
    this.#maxKeysPerGeneration = Math.floor(maxKeys / 2);
    this.#maxDestinationsPerGeneration = Math.floor(maxDestinations / 2);
  }

  /** The destinations of a routing key, none being an empty array; undefined if they are not remembered. */
  get(routingKey: string): readonly D[] | undefined {
    if (this.#passing > 0) {
      this.#passing--;
      return undefined;
    }
    if (++this.#lookups === judgedLookups) this.#judge();
    const recent = this.#recent.get(routingKey);
    if (recent !== undefined) {
      this.#hits++;
      return recent;
    }
    const older = this.#older.get(routingKey);
    if (older !== undefined) {
      this.#hits++;
      this.#remember(routingKey, older);
    }
    return older;
  }

  /** Remembers a copy of `destinations`, and returns it frozen: it is shared by every message with this key. */
  set(routingKey: string, destinations: Iterable<D>): readonly D[] {
    const frozen = Object.freeze([...destinations]);
    if (this.#passing === 0) this.#remember(routingKey, frozen);
    return frozen;
  }

  /** Forgets what was remembered under another generation of the topology. */
  holdFor(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.clear();
  }

  clear(): void {
    this.#recent.clear();
    this.#older.clear();
    this.#recentDestinations = 0;
  }

  #judge(): void {
    if (this.#hits < leastHits) this.#passing = passedLookups;
    this.#lookups = 0;
    this.#hits = 0;
  }

  #remember(routingKey: string, destinations: readonly D[]): void {
    const isFull =
      this.#recent.size >= this.#maxKeysPerGeneration ||
      this.#recentDestinations + destinations.length > this.#maxDestinationsPerGeneration;
    if (isFull) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#recentDestinations = 0;
    }
    this.#recent.set(routingKey, destinations);
    this.#recentDestinations += destinations.length;
  }
}
