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

interface AddressCounts {
  /** Sockets, whatever they are for. */
  sockets: number;
  /** WebSockets. */
  all: number;
  unauthenticated: number;
}

/** How many connections there are, in all and from each address. */
export class ConnectionCounts {
  readonly #limits: ConnectionLimits;
  readonly #byAddress = new Map<string, AddressCounts>();
  #sockets = 0;
  #all = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /**
   * A socket has been opened, and says nothing yet. Returns what to call when it is closed, or nothing if it is one too many.
   * There is room for as many as may become WebSockets, and for some that ask for something else.
   */
  arrive(address: string): (() => void) | undefined {
    const { maxConnections, maxConnectionsPerIp, maxUnauthenticatedPerIp } = this.#limits;
    if (this.#sockets >= maxConnections + otherSockets) return undefined;
    const counts = this.#of(address);
    if (counts.sockets >= maxConnectionsPerIp + maxUnauthenticatedPerIp) return undefined;
    this.#sockets++;
    counts.sockets++;
    return () => {
      this.#sockets--;
      counts.sockets--;
      this.#forget(address, counts);
    };
  }

  /** Name of the limit that one more WebSocket from this address would exceed. */
  exceeded(address: string): keyof ConnectionLimits | undefined {
    const { maxConnections, maxConnectionsPerIp, maxUnauthenticatedPerIp } = this.#limits;
    if (this.#all >= maxConnections) return "maxConnections";
    const counts = this.#byAddress.get(address);
    if (counts === undefined) return undefined;
    if (counts.all >= maxConnectionsPerIp) return "maxConnectionsPerIp";
    return counts.unauthenticated >= maxUnauthenticatedPerIp ? "maxUnauthenticatedPerIp" : undefined;
  }

  /** A WebSocket has been opened. */
  add(address: string): CountedConnection {
    const counts = this.#of(address);
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
        this.#forget(address, counts);
      },
    };
  }

  #of(address: string): AddressCounts {
    let counts = this.#byAddress.get(address);
    if (counts === undefined) {
      counts = { sockets: 0, all: 0, unauthenticated: 0 };
      this.#byAddress.set(address, counts);
    }
    return counts;
  }

  #forget(address: string, counts: AddressCounts): void {
    if (counts.sockets === 0 && counts.all === 0) this.#byAddress.delete(address);
  }
}

/** Of all addresses together, besides WebSockets: for pages, for health, and for who is told that there is no room. */
const otherSockets = 1000;
