/** Bytes at the start of a body that say when it was published. */
const timeBytes = 8;
const perMs = 1000;

/**
 * Writes a time into the start of a body, in microseconds, seven bits a byte: whatever the time, the body stays valid
 * UTF-8, which some peers (Web-STOMP in text frames) insist on.
 */
export function writePublishTime(body: Uint8Array, ms: number): void {
  let rest = Math.round(ms * perMs);
  for (let index = 0; index < timeBytes; index++) {
    body[index] = rest % 128;
    rest = Math.floor(rest / 128);
  }
}

/** Milliseconds, as they were written. */
export function readPublishTime(body: Uint8Array): number {
  let time = 0;
  for (let index = timeBytes - 1; index >= 0; index--) time = time * 128 + body[index]!;
  return time / perMs;
}
