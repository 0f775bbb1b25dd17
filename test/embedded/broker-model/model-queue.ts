import type { DeathReason } from "../../../protocol/delivery-history.ts";
import type { MessageState } from "../../../server/engine/engine.ts";
import type { DeclaredQueue } from "./topologies.ts";

export interface ModelMessage {
  readonly id: number;
  readonly exchange: string;
  /** The routing key, and those of `CC`. */
  readonly keys: readonly string[];
  /** `""`: of no group. */
  readonly group: string;
  readonly persistent: boolean;
  readonly bytes: number;
  readonly priority: number;
  /** Milliseconds, -1: none. */
  readonly expiration: number;
}

export interface ModelDeath {
  readonly queue: string;
  readonly reason: DeathReason;
  readonly count: number;
  readonly nackReason: string | undefined;
}

/** How a message came that nobody has sent: those of one origin came in their order, others in any. */
export interface Arrival {
  readonly from: string;
  readonly order: number;
}

/** A message in a queue. */
export interface ModelItem {
  readonly message: ModelMessage;
  readonly deaths: readonly ModelDeath[];
  /** What a consumer said last that gave it back. */
  nackReason: string | undefined;
  /** Its priority here. */
  readonly level: number;
  /** `Infinity`: never. */
  dueAt: number;
  /** It expires unless somebody takes it at once. */
  readonly isImmediate: boolean;
  /** If it came by itself in this turn. */
  arrival: Arrival | undefined;
  /** Grows along those of its level. `NaN`: it came and went in a turn whose order is not known. */
  place: number;
  /** It came in this turn. */
  isNew: boolean;
  attempts: number;
  redelivered: boolean;
  state: MessageState;
  delayedUntil: number;
  /** When it comes back if it is not settled. */
  lateAt: number;
  /** It has left the queue. */
  isGone: boolean;
}

export interface ModelQueue extends DeclaredQueue {
  /** Those of one level in order. */
  items: ModelItem[];
  isPaused: boolean;
  /** What has happened in this moment. */
  moment: QueueMoment;
}

export interface QueueMoment {
  readonly added: Set<ModelItem>;
  /** They were ready before, unsettled or set aside meanwhile, and came back. */
  readonly returned: Set<ModelItem>;
  readonly taken: Set<ModelItem>;
  /** They were too much. */
  readonly dropped: ModelItem[];
  /** For each of them, what was left then. */
  readonly leftBy: Map<ModelItem, readonly ModelItem[]>;
}

export function newMoment(): QueueMoment {
  return { added: new Set(), returned: new Set(), taken: new Set(), dropped: [], leftBy: new Map() };
}

/** All that is there, the first to be delivered first. */
export function inOrder({ items }: ModelQueue): ModelItem[] {
  return [...items].sort((one, other) => other.level - one.level);
}

export function ready(queue: ModelQueue): ModelItem[] {
  return inOrder(queue).filter(({ state }) => state === "ready");
}

/** The messages that can be handed out at this moment to whoever holds nothing, in order. */
export function deliverable(queue: ModelQueue): ModelItem[] {
  if (queue.isPaused) return [];
  if (queue.arguments.messageGroups === undefined) return ready(queue);
  const seen = new Set<string>();
  for (const { message, state } of queue.items)
    if (state === "unsettled" || state === "delayed") seen.add(message.group);
  return ready(queue).filter(({ message: { group } }) => {
    if (group === "") return true;
    if (seen.has(group)) return false;
    seen.add(group);
    return true;
  });
}

export function bytesOf(items: readonly ModelItem[]): number {
  return items.reduce((sum, { message }) => sum + message.bytes, 0);
}

/** Whether so much may not be ready. */
export function isTooMuch({ arguments: args }: ModelQueue, count: number, bytes: number): boolean {
  return (
    count > (args.maxLength ?? Number.POSITIVE_INFINITY) ||
    bytes > (args.maxBytes ?? Number.POSITIVE_INFINITY)
  );
}

/** What gives way when there is too much; `undefined`: nothing that is in the queue. */
export function givesWay({ arguments: args }: ModelQueue): "oldest" | "latest" | undefined {
  const { maxLength, maxBytes, overflow = "drop-head" } = args;
  if ((maxLength === undefined && maxBytes === undefined) || overflow === "reject-publish") return undefined;
  return overflow === "drop-head" ? "oldest" : "latest";
}

/** Whether a queue has no room for one message more, besides what consumers can take. */
export function isFull(queue: ModelQueue, bytes: number): boolean {
  if (queue.arguments.overflow !== "reject-publish") return false;
  const there = ready(queue);
  return isTooMuch(queue, there.length + 1, bytesOf(there) + bytes);
}

/** It has come back from its last delivery, and nobody knows whether it is to blame: it is delivered alone. */
export function isSuspect({ arguments: args }: ModelQueue, { attempts }: ModelItem): boolean {
  return attempts > 0 && attempts >= (args.deliveryLimit ?? Number.POSITIVE_INFINITY);
}
