import { markOf, marksIn } from "./marked-body.ts";
import { readStoreTrace, type Send, type StoreEvent } from "./store-events.ts";
import { ServerStream } from "./websocket-frames.ts";

export interface ConfirmProof {
  /** Messages whose confirm was sent. */
  readonly confirmed: number;
  /** Those of them that had been delivered before, and so need not be written any more if they were acked. */
  readonly delivered: number;
  /** Transactions that reached the disk. */
  readonly transactions: number;
  readonly syncs: number;
  /** System calls that strace made fail, with what they were. */
  readonly injected: readonly string[];
  /** Seconds from the first of them to the end of the process. */
  readonly secondsToExit: number | undefined;
  /** Messages confirmed although they were not on disk. */
  readonly violations: readonly string[];
}

/**
 * Holds every confirm in a trace against the disk. LMDB brings a transaction to disk in three steps: it writes the pages
 * (`pwrite64`, `writev`), has them synced (`fdatasync`), and writes the page that makes them valid through a descriptor of its
 * own that syncs each write (`O_DSYNC`). So a message is on disk when
 *
 * 1. the write that holds its body has returned,
 * 2. an fdatasync that began after that has returned without error,
 * 3. a synchronous write that began after that has returned without error,
 *
 * and nothing in between has failed. Only after all that may the system call begin that sends its confirm. The exception is a
 * message that a consumer had first: if it was acked before it could be written, nothing is left to write.
 */
export async function proveConfirms(traceFile: string, storeFile: string): Promise<ConfirmProof> {
  const disk = new DiskLedger();
  const streams = new Map<string, ServerStream>();
  /** How many transactions were on disk when the send began. */
  const onDiskAtBegin = new Map<Send, number>();
  const injected: string[] = [];
  const violations: string[] = [];
  const delivered = new Set<string>();
  let confirmed = 0;
  let confirmedDelivered = 0;
  let firstFaultSeconds: number | undefined;
  let exitSeconds: number | undefined;

  const sent = (send: Send) => {
    const onDisk = onDiskAtBegin.get(send)!;
    onDiskAtBegin.delete(send);
    if (send.error !== undefined) return;
    let stream = streams.get(send.socket);
    if (stream === undefined) {
      stream = new ServerStream();
      streams.set(send.socket, stream);
    }
    const said = stream.push(send.bytes);
    for (const message of said.others) for (const mark of marksIn(message)) delivered.add(mark);
    for (const { encoding, first, last } of said.confirmed) {
      for (let number = first; number <= last; number++) {
        confirmed++;
        const mark = markOf(encoding, number);
        const transaction = disk.transactionOf(mark);
        if (delivered.has(mark)) confirmedDelivered++;
        else if (transaction === undefined || transaction > onDisk) violations.push(mark);
      }
    }
  };

  await readStoreTrace(traceFile, storeFile, {
    begin(event) {
      if (event.kind === "send") onDiskAtBegin.set(event, disk.transactions);
      else disk.begin(event);
    },
    end(event) {
      if (event.isInjected && event.error !== undefined) {
        injected.push(`${describe(event)}: ${event.error}`);
        firstFaultSeconds ??= event.endSeconds;
      }
      if (event.kind === "send") sent(event);
      else disk.end(event);
    },
    exit: (atSeconds) => {
      exitSeconds = atSeconds;
    },
  });
  return {
    confirmed,
    delivered: confirmedDelivered,
    transactions: disk.transactions,
    syncs: disk.syncs,
    injected,
    secondsToExit:
      firstFaultSeconds === undefined || exitSeconds === undefined
        ? undefined
        : exitSeconds - firstFaultSeconds,
    violations,
  };
}

function describe(event: StoreEvent): string {
  if (event.kind !== "write") return event.kind;
  return event.isSynchronous ? "write of the first pages" : "write";
}

/** Which messages are on disk, as the system calls show it. */
class DiskLedger {
  transactions = 0;
  syncs = 0;
  /** In writes that have returned. */
  #written: string[] = [];
  /** In writes that had returned when the sync that is under way began. */
  #syncing: string[] = [];
  #synced: string[] = [];
  /** What the page that is being written makes valid. */
  #validating: string[] = [];
  readonly #onDisk = new Map<string, number>();

  transactionOf(mark: string): number | undefined {
    return this.#onDisk.get(mark);
  }

  begin(event: StoreEvent): void {
    if (event.kind === "sync") this.#syncing = this.#written;
    else if (event.kind === "write" && event.isSynchronous) this.#validating = this.#synced;
  }

  end(event: StoreEvent): void {
    if (event.error !== undefined) {
      // The transaction is off; what was written of it counts for nothing.
      this.#written = [];
      this.#syncing = [];
      this.#synced = [];
      this.#validating = [];
    } else if (event.kind === "sync") {
      this.syncs++;
      this.#synced = this.#syncing;
    } else if (event.kind === "write" && event.isSynchronous) this.#valid();
    else if (event.kind === "write") this.#written = [...this.#written, ...marksIn(event.bytes)];
  }

  #valid(): void {
    this.transactions++;
    for (const mark of this.#validating)
      if (!this.#onDisk.has(mark)) this.#onDisk.set(mark, this.transactions);
    this.#written = [];
    this.#syncing = [];
    this.#synced = [];
    this.#validating = [];
  }
}
