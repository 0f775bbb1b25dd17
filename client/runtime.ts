/** What the client needs of the world around it. Tests pass their own clock and dice. */
export interface Runtime {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  setTimer(callback: () => void, delayMs: number): unknown;
  clearTimer(timer: unknown): void;
  /** 0 up to, not including, 1. */
  random(): number;
  /** Calls back once the code that runs now, and the promises that it resolves, have had their turn. */
  defer(callback: () => void): void;
}

function makeDefer(): (callback: () => void) => void {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
  if (setImmediate !== undefined) return (callback) => void setImmediate(callback);
  // Browsers: a timer would wait 4 ms, and a second in a background tab; a message to oneself does not.
  const callbacks: (() => void)[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => callbacks.shift()?.();
  return (callback) => {
    callbacks.push(callback);
    port2.postMessage(0);
  };
}

let defer: Runtime["defer"] | undefined;

export const systemRuntime: Runtime = {
  now: () => performance.now(),
  setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as number),
  random: () => Math.random(),
  defer: (callback) => {
    // Made on first use: importing the module has no effect.
    defer ??= makeDefer();
    defer(callback);
  },
};
