import {
  type Death,
  type DeliveryHistory,
  decodeHistory,
  encodeHistory,
  type NackReason,
} from "../../protocol/delivery-history.ts";

/** One for each queue and reason; the oldest go. */
const maxDeaths = 20;
/** A `CC` header may name any number of keys. */
const maxRoutingKeys = 10;

/**
 * A history with one death more: that of the same queue and reason counts one up and comes first, with the time of its first
 * time (SEMANTICS 79, 80).
 */
export function withDeath(bytes: Uint8Array | undefined, death: Omit<Death, "count">): Uint8Array {
  const history = readHistory(bytes);
  const deaths = history.deaths ?? [];
  const isSame = ({ queue, reason }: Death) => queue === death.queue && reason === death.reason;
  const earlier = deaths.find(isSame);
  const latest = {
    ...death,
    count: (earlier?.count ?? 0) + 1,
    routingKeys: death.routingKeys.slice(0, maxRoutingKeys),
    ...(earlier !== undefined && { time: earlier.time }),
    ...(earlier?.originalExpiration !== undefined && { originalExpiration: earlier.originalExpiration }),
  };
  const { queue, reason, exchange, nackReason } = death;
  return encodeHistory({
    ...history,
    ...(nackReason !== undefined && { nackReason }),
    deaths: [latest, ...deaths.filter((other) => !isSame(other))].slice(0, maxDeaths),
    firstDeath: history.firstDeath ?? { queue, reason, exchange },
  });
}

export function withNackReason(bytes: Uint8Array | undefined, nackReason: NackReason): Uint8Array {
  return encodeHistory({ ...readHistory(bytes), nackReason });
}

export function readHistory(bytes: Uint8Array | undefined): DeliveryHistory {
  return (bytes && decodeHistory(bytes)) ?? {};
}

/**
 * Whether a message with this history would come to `queue` in a circle that no consumer has a part in: it died there, and
 * was rejected neither there nor since (SEMANTICS 82).
 */
export function isCycle({ deaths = [] }: DeliveryHistory, queue: string): boolean {
  const last = deaths.findIndex((death) => death.queue === queue);
  return last >= 0 && deaths.slice(0, last + 1).every(({ reason }) => reason !== "rejected");
}
