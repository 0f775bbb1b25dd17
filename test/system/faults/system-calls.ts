import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** One system call of a trace. */
export interface SystemCall {
  readonly thread: string;
  readonly name: string;
  /** Its arguments, as strace shows them. */
  args: string;
  readonly beginSeconds: number;
  /** As returned; -1 with `error`. Not to be used before the end. */
  result: number;
  /** The descriptor that it has made. */
  opened: Descriptor | undefined;
  error: string | undefined;
  /** Strace made it fail. */
  isInjected: boolean;
  endSeconds: number;
}

export interface TraceEvents {
  begin(call: SystemCall): void;
  end(call: SystemCall): void;
  /** The process has ended. */
  exit?(atSeconds: number): void;
}

const linePattern = /^(\d+) +(\d+\.\d+) (.*)$/s;
const resumedPattern = /^<\.\.\. (\w+) resumed>(.*)$/s;
const endPattern = /^(.*)\) += (-?\d+|\?|0x[0-9a-f]+)(.*)$/s;
const unfinished = " <unfinished ...>";

/**
 * Reads what `straceCommand` had written, in the order in which strace saw it. Strace stops a thread where a call begins and
 * where it ends, and lets go of it after the line is made: if one thing led to another, the lines are in that order.
 */
export async function readTrace(path: string, events: TraceEvents): Promise<void> {
  const open = new Map<string, SystemCall>();
  for await (const line of createInterface({ input: createReadStream(path, "latin1") })) {
    const match = linePattern.exec(line);
    if (match === null) throw new Error(`This is not a line of strace: ${line.slice(0, 200)}`);
    const [, thread, seconds, rest] = match as unknown as [string, string, string, string];
    const atSeconds = Number(seconds);
    if (rest.startsWith("---")) continue;
    if (rest.startsWith("+++")) {
      events.exit?.(atSeconds);
      continue;
    }
    const resumed = resumedPattern.exec(rest);
    if (resumed !== null) {
      const call = open.get(thread);
      if (call === undefined || call.name !== resumed[1])
        throw new Error(`A call ends that has not begun: ${line.slice(0, 200)}`);
      open.delete(thread);
      if (finish(call, call.args + resumed[2]!, atSeconds)) events.end(call);
      continue;
    }
    const bracket = rest.indexOf("(");
    const call: SystemCall = {
      thread,
      name: rest.slice(0, bracket),
      args: rest.slice(bracket + 1),
      beginSeconds: atSeconds,
      result: 0,
      opened: undefined,
      error: undefined,
      isInjected: false,
      endSeconds: Number.NaN,
    };
    if (call.args.endsWith(unfinished)) {
      call.args = call.args.slice(0, -unfinished.length);
      open.set(thread, call);
      events.begin(call);
    } else {
      const hasEnded = finish(call, call.args, atSeconds);
      events.begin(call);
      if (hasEnded) events.end(call);
    }
  }
}

/** Takes the result from the end of the text. False if the process ended in the middle of the call. */
function finish(call: SystemCall, text: string, atSeconds: number): boolean {
  const match = endPattern.exec(text);
  if (match === null) throw new Error(`No result: ${call.name}(${text.slice(0, 200)}`);
  const [, args, result, remark] = match as unknown as [string, string, string, string];
  call.args = args;
  if (result === "?") return false;
  call.result = Number(result);
  call.opened = descriptorOf(result + remark);
  call.error = call.result === -1 ? remark.trim().split(" ", 1)[0] : undefined;
  call.isInjected = remark.includes("(INJECTED)");
  call.endSeconds = atSeconds;
  return true;
}

/** The bytes of a string that strace has shown in hexadecimal. */
export function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll("\\x", ""), "hex");
}

/** All string arguments, in order, put together. */
export function stringsOf(args: string): Buffer {
  const parts: Buffer[] = [];
  for (const [, hex, dots] of args.matchAll(/"([^"]*)"(\.\.\.)?/g)) {
    if (dots !== undefined) throw new Error("Strace has cut a string short.");
    parts.push(bytesOf(hex!));
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

export interface Descriptor {
  readonly number: number;
  /** A path, or something like `TCP:[…]`. */
  readonly target: string;
}

/** The descriptor that stands first among the arguments, or is all there is of a result. */
export function descriptorOf(text: string): Descriptor | undefined {
  const match = /^(\d+)<((?:\\x[0-9a-f]{2})+|[^<>]*->[^<>]*|[^<>]*)>/.exec(text);
  if (match === null) return undefined;
  const [, number, target] = match as unknown as [string, string, string];
  return {
    number: Number(number),
    target: target.startsWith("\\x") ? bytesOf(target).toString() : target,
  };
}
