/**
 * Milliseconds on a clock that all processes of this machine share (CLOCK_MONOTONIC) and that never jumps. Not
 * `performance.now()` with an offset taken once: taking it can be off by half a millisecond, as much as is measured.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
