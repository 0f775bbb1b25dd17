import type { Blocked } from "../engine/engine.ts";
import type { Store } from "./store/store.ts";

/** Where publishing stops for want of room. */
export interface OverloadLimits {
  /** Stays free on the disk; cut to a tenth of it, but not below 4 MiB. 0: the disk is not watched. */
  readonly minFreeDiskBytes: number;
  /** What the process may use. 0: memory is not watched. */
  readonly maxMemoryBytes: number;
  readonly usedMemoryBytes: () => number;
  /** Gives back memory that nothing refers to any more; may take long. */
  readonly collectGarbage: () => void;
}

export interface OverloadOptions extends OverloadLimits {
  readonly store: Pick<Store, "room" | "capacityBytes">;
  /** What is accepted and not on disk yet: the store does not know of all of it. */
  readonly unflushedBytes: () => number;
  /** Calls back after some milliseconds; must not keep the process alive. */
  readonly delay: (delayMs: number, callback: () => void) => void;
}

/** How often room is looked at; so also the shortest time for which publishing stops. */
const lookMs = 1000;
/** Of a disk, this is kept free at most: otherwise a small one could never be used. */
const largestReserve = 0.1;
/** Whatever the disk's size: a commit may take a MiB or two besides its messages. */
const smallestReserveBytes = 4 * 2 ** 20;
/** Publishing goes on once this much more is free than where it stopped. */
const diskRelief = 1.5;
/** With so many times what is to be written and the reserve to be used again, the store will not have to grow. */
const ample = 4;
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
  #isStopped = false;
  /** Bytes that may still be accepted before room is looked at again: see {@link refusalOf}. */
  allowanceBytes = Number.POSITIVE_INFINITY;
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
      const largestBytes = Math.max(store.capacityBytes() * largestReserve, smallestReserveBytes);
      this.#minFreeDiskBytes = Math.min(minFreeDiskBytes, largestBytes);
    }
    if (minFreeDiskBytes === 0 && maxMemoryBytes === 0) return;
    this.#look();
  }

  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Looks at the disk: why a message of this size, if it has to be written, is refused. To be asked, while nothing is
   * blocked, for one that is larger than {@link allowanceBytes}.
   */
  refusalOf(bytes: number): Blocked | undefined {
    if (this.#minFreeDiskBytes === 0 || this.#isStopped) return undefined;
    this.#lookAtDisk(false);
    if (this.#disk !== undefined) return this.#disk;
    const freeBytes = this.#freeBytes(bytes);
    if (freeBytes - bytes >= this.#minFreeDiskBytes / 2) return undefined;
    const message = `The broker's disk has only ${mebibytes(freeBytes)} left: too little for a message of ${mebibytes(bytes)}.`;
    return { code: "disk-full", message };
  }

  /** A message of this size has been accepted and will be written. */
  accepted(bytes: number): void {
    this.allowanceBytes -= bytes;
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
    const freeBytes = this.#freeBytes(0);
    if (this.#disk === undefined ? freeBytes < mark : !mayRelieve || freeBytes < mark * diskRelief) {
      this.#disk ??= {
        code: "disk-full",
        message: `The broker's disk has only ${mebibytes(freeBytes)} left; ${mebibytes(mark)} are kept free.`,
      };
    } else {
      this.#disk = undefined;
      // No more than a quarter of the reserve: another program may use up the rest meanwhile.
      this.allowanceBytes = Math.max(Math.min((freeBytes - mark) / 2, mark / 4), mark / 16);
    }
    this.#settle();
  }

  /**
   * What can be written, a message of `bytes` among it. Where the store finds no place for something in what it could use
   * again, it grows, and does not shrink any more. So half of the reserve is kept for that and for acks, unless there is so
   * much to be used again that it will hardly happen.
   */
  #freeBytes(bytes: number): number {
    const mark = this.#minFreeDiskBytes;
    const { diskBytes, reusableBytes } = this.#options.store.room();
    const leftBytes = diskBytes - this.#options.unflushedBytes();
    const mayGrow = leftBytes - bytes >= mark / 2;
    return mayGrow || reusableBytes >= ample * (mark + bytes) ? leftBytes + reusableBytes : leftBytes;
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
