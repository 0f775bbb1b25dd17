const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Milliseconds on a clock that all processes of this machine share (CLOCK_MONOTONIC) and that never jumps. */
export function monotonicMs(): number {
  return offsetMs + performance.now();
}
