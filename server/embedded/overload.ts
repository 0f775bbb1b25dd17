import type { Blocked } from "../engine/engine.ts";
import type { Store } from "./store/store.ts";

/** Where publishing stops for want of room. */
export interface OverloadLimits {
  /** Stays free on the disk; cut to a tenth of it. 0: the disk is not watched. */
  readonly minFreeDiskBytes: number;
  /** What the process may use. 0: memory is not watched. */
  readonly maxMemoryBytes: number;
  readonly usedMemoryBytes: () => number;
  /** Gives back memory that nothing refers to any more; may take long. */
  readonly collectGarbage: () => void;
}

export interface OverloadOptions extends OverloadLimits {
  readonly store: Pick<Store, "freeBytes" | "capacityBytes">;
  /** What is accepted and not on disk yet: the store does not know of all of it. */
  readonly unflushedBytes: () => number;
  /** Calls back after some milliseconds; must not keep the process alive. */
  readonly delay: (delayMs: number, callback: () => void) => void;
}

/** How often room is looked at; so also the shortest time for which publishing stops. */
const lookMs = 1000;
/** Of a disk, this is kept free at most: otherwise a small one could never be used. */
const largestReserve = 0.1;
/** Publishing goes on once this much more is free than where it stopped. */
const diskRelief = 1.5;
/** While memory is high, garbage is collected at every so many looks. */
const collectionLooks = 5;
/** Publishing goes on once memory is down to this share of where it stopped. */
const memoryRelief = 0.85;

/**
 * Says when publishing has to stop for want of disk or memory, and when it may go on.
 *
 * Room is looked at once a second, and earlier when so much has been written since that the mark may be near. Going on needs
 * more room than stopping, and only the look of the second allows it, so that publishing does not flap.
 *
 * The reserve is what acks, deletes and declarations are written from while the disk counts as full: LMDB needs pages to
 * delete anything.
 */
export class Overload {
  readonly #options: OverloadOptions;
  readonly #listeners: ((blocked: Blocked | undefined) => void)[] = [];
  /** Set while messages that would have to be written are refused. */
  #disk: Blocked | undefined;
  /** Set while every message that would be kept is refused. */
  #memory: Blocked | undefined;
  #looksAtHighMemory = 0;
  #minFreeDiskBytes = 0;
  /** Bytes that may still be written before room is looked at again. */
  #allowanceBytes = Number.POSITIVE_INFINITY;
  #isStopped = false;
  /** Why publishes are refused: memory before disk, as that stops more. */
  blocked: Blocked | undefined;

  constructor(options: OverloadOptions) {
    this.#options = options;
  }

  onChange(listener: (blocked: Blocked | undefined) => void): void {
    this.#listeners.push(listener);
  }

  /** The store is open. */
  start(): void {
    const { minFreeDiskBytes, maxMemoryBytes, store } = this.#options;
    if (minFreeDiskBytes > 0) {
      this.#minFreeDiskBytes = Math.min(minFreeDiskBytes, store.capacityBytes() * largestReserve);
    }
    if (minFreeDiskBytes === 0 && maxMemoryBytes === 0) return;
    this.#look();
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** A message of this size is about to be written. */
  willWrite(bytes: number): void {
    this.#allowanceBytes -= bytes;
    if (this.#allowanceBytes < 0 && !this.#isStopped) this.#lookAtDisk(false);
  }

  #look(): void {
    if (this.#isStopped) return;
    this.#lookAtMemory();
    this.#lookAtDisk(true);
    this.#options.delay(lookMs, () => this.#look());
  }

  #lookAtDisk(mayRelieve: boolean): void {
    const mark = this.#minFreeDiskBytes;
    if (mark === 0) return;
    const freeBytes = this.#options.store.freeBytes() - this.#options.unflushedBytes();
    if (this.#disk === undefined ? freeBytes < mark : !mayRelieve || freeBytes < mark * diskRelief) {
      this.#disk ??= {
        code: "disk-full",
        message: `The broker's disk has only ${mebibytes(freeBytes)} left; ${mebibytes(mark)} are kept free.`,
      };
      this.#allowanceBytes = Number.POSITIVE_INFINITY;
    } else {
      this.#disk = undefined;
      // No more than a quarter of the reserve: another program may use up the rest meanwhile.
      this.#allowanceBytes = Math.max(Math.min((freeBytes - mark) / 2, mark / 4), mark / 16);
    }
    this.#settle();
  }

  #lookAtMemory(): void {
    const { maxMemoryBytes: mark, usedMemoryBytes, collectGarbage } = this.#options;
    if (mark === 0) return;
    const bound = this.#memory === undefined ? mark : mark * memoryRelief;
    let usedBytes = usedMemoryBytes();
    // Garbage is no reason to stop; and nobody else might collect it: a broker that has stopped and is drained has no work.
    if (usedBytes > bound && this.#isCollectionDue()) {
      collectGarbage();
      usedBytes = usedMemoryBytes();
    }
    if (usedBytes > bound) {
      this.#memory ??= {
        code: "memory-high",
        message: `The broker uses ${mebibytes(usedBytes)} of memory; it may use ${mebibytes(mark)}.`,
      };
    } else this.#memory = undefined;
    this.#settle();
  }

  #isCollectionDue(): boolean {
    this.#looksAtHighMemory = this.#memory === undefined ? 0 : this.#looksAtHighMemory + 1;
    return this.#looksAtHighMemory % collectionLooks === 0;
  }

  #settle(): void {
    const blocked = this.#memory ?? this.#disk;
    if (blocked === this.blocked) return;
    this.blocked = blocked;
    for (const listener of this.#listeners) listener(blocked);
  }
}

function mebibytes(bytes: number): string {
  return `${Math.max(0, bytes / 2 ** 20).toFixed(1)} MiB`;
}
