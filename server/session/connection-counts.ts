export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  readonly maxUnauthenticatedPerIp: number;
}

/** One connection's share of the counts. */
export interface CountedConnection {
  /** The client is known: it no longer counts as unauthenticated. */
  admit(): void;
  remove(): void;
}

/** How many connections there are, in all and from each address. */
export class ConnectionCounts {
  readonly #limits: ConnectionLimits;
  readonly #byAddress = new Map<string, { all: number; unauthenticated: number }>();
  #all = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Name of the limit that one more connection from this address would exceed. */
  exceeded(address: string): keyof ConnectionLimits | undefined {
    const { maxConnections, maxConnectionsPerIp, maxUnauthenticatedPerIp } = this.#limits;
    if (this.#all >= maxConnections) return "maxConnections";
    const counts = this.#byAddress.get(address);
    if (counts === undefined) return undefined;
    if (counts.all >= maxConnectionsPerIp) return "maxConnectionsPerIp";
    return counts.unauthenticated >= maxUnauthenticatedPerIp ? "maxUnauthenticatedPerIp" : undefined;
  }

  add(address: string): CountedConnection {
    const counts = this.#byAddress.get(address) ?? { all: 0, unauthenticated: 0 };
    this.#byAddress.set(address, counts);
    this.#all++;
    counts.all++;
    counts.unauthenticated++;
    let isUnauthenticated = true;
    const admit = () => {
      if (isUnauthenticated) counts.unauthenticated--;
      isUnauthenticated = false;
    };
    return {
      admit,
      remove: () => {
        admit();
        this.#all--;
        counts.all--;
        if (counts.all === 0) this.#byAddress.delete(address);
      },
    };
  }
}
