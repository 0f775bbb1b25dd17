import {
  bytesOf,
  type Descriptor,
  descriptorOf,
  readTrace,
  type SystemCall,
  stringsOf,
} from "./system-calls.ts";

/** Something that the process under trace does to the store's file or says to a client. */
export type StoreEvent = FileWrite | FileSync | Send;

interface Timed {
  readonly beginSeconds: number;
  /** Not a number before it has ended, and for good if the process ended first. */
  endSeconds: number;
  /** The system call's error. */
  error: string | undefined;
  isInjected: boolean;
}

export interface FileWrite extends Timed {
  readonly kind: "write";
  readonly offset: number;
  readonly bytes: Buffer;
  /** On disk when it returns (O_DSYNC): how LMDB writes the page that makes a transaction valid. */
  readonly isSynchronous: boolean;
}

export interface FileSync extends Timed {
  readonly kind: "sync";
}

export interface Send extends Timed {
  readonly kind: "send";
  /** Both addresses. */
  readonly socket: string;
  bytes: Buffer;
}

export interface StoreEventListener {
  begin(event: StoreEvent): void;
  end(event: StoreEvent): void;
  exit?(atSeconds: number): void;
}

/** Calls that change a file in ways that this does not follow. None of them is used by LMDB as it is configured here. */
const notFollowed = new Set(["pwritev", "pwritev2", "ftruncate", "fallocate"]);

/**
 * Reads a trace of a broker: writes to `storeFile`, its syncs, and what is sent to clients. Throws if the file is changed in a
 * way that is not followed: then nothing that is said about it would be proven.
 */
export async function readStoreTrace(
  traceFile: string,
  storeFile: string,
  listener: StoreEventListener,
): Promise<void> {
  const positions = new Map<number, number>();
  const synchronous = new Set<number>();
  const open = new Map<SystemCall, StoreEvent>();

  const noteOpened = ({ args, opened }: SystemCall) => {
    if (opened?.target !== storeFile) return;
    positions.set(opened.number, 0);
    if (/\bO_D?SYNC\b/.test(args)) synchronous.add(opened.number);
    else synchronous.delete(opened.number);
  };

  const fileWrite = (call: SystemCall, { number }: Descriptor): StoreEvent => {
    const bytes = stringsOf(call.args);
    const isPositioned = call.name === "pwrite64";
    const offset = isPositioned ? Number(/, (\d+)$/.exec(call.args)?.[1]) : positions.get(number);
    if (offset === undefined || Number.isNaN(offset))
      throw new Error(`Written where? ${call.args.slice(-80)}`);
    if (!isPositioned) positions.set(number, offset + bytes.length);
    return { ...timed(call), kind: "write", offset, bytes, isSynchronous: synchronous.has(number) };
  };

  const begun = (call: SystemCall): StoreEvent | undefined => {
    const descriptor = descriptorOf(call.args);
    if (descriptor?.target === storeFile) {
      if (notFollowed.has(call.name)) throw new Error(`${call.name} of the store is not followed here.`);
      if (call.name === "pwrite64" || call.name === "write" || call.name === "writev")
        return fileWrite(call, descriptor);
      if (call.name === "fdatasync" || call.name === "fsync") return { ...timed(call), kind: "sync" };
    } else if (descriptor?.target.startsWith("TCP") && isSend(call.name)) {
      return { ...timed(call), kind: "send", socket: descriptor.target, bytes: stringsOf(call.args) };
    }
    return undefined;
  };

  await readTrace(traceFile, {
    begin(call) {
      const event = begun(call);
      if (event === undefined) return;
      open.set(call, event);
      listener.begin(event);
    },
    end(call) {
      const event = open.get(call);
      if (event !== undefined) {
        open.delete(call);
        event.endSeconds = call.endSeconds;
        event.error = call.error;
        event.isInjected = call.isInjected;
        if (event.kind === "send" && call.result >= 0) event.bytes = event.bytes.subarray(0, call.result);
        if (event.kind === "write" && call.error === undefined && call.result !== event.bytes.length)
          throw new Error(`A write to the store was short: ${call.result} of ${event.bytes.length} bytes.`);
        listener.end(event);
      } else if (call.name === "openat") noteOpened(call);
      else if (call.name === "lseek") {
        const descriptor = descriptorOf(call.args);
        if (descriptor !== undefined && positions.has(descriptor.number))
          positions.set(descriptor.number, call.result);
      } else if (call.name === "mmap" && isWritableMapping(call.args, storeFile)) {
        throw new Error("The store is written through its mapping, which strace does not see.");
      }
    },
    exit: (atSeconds) => listener.exit?.(atSeconds),
  });
}

function timed({ beginSeconds }: SystemCall): Timed {
  return { beginSeconds, endSeconds: Number.NaN, error: undefined, isInjected: false };
}

function isSend(name: string): boolean {
  return name === "write" || name === "writev" || name === "sendmsg" || name === "sendto";
}

function isWritableMapping(args: string, storeFile: string): boolean {
  if (!args.includes("PROT_WRITE") || !args.includes("MAP_SHARED")) return false;
  const hex = /<((?:\\x[0-9a-f]{2})+)>/.exec(args)?.[1];
  return hex !== undefined && bytesOf(hex).toString() === storeFile;
}
