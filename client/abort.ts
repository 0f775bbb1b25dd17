import { PosthornError } from "../protocol/errors.ts";

export function abortedError(signal: AbortSignal): PosthornError {
  const error = new PosthornError("aborted", "The operation was aborted.");
  error.cause = signal.reason;
  return error;
}

/** @throws PosthornError `aborted` if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}

/** Calls back when the signal fires; returns how to stop listening. */
export function onAbort(
  signal: AbortSignal | undefined,
  callback: (error: PosthornError) => void,
): () => void {
  if (signal === undefined) return () => {};
  const listener = () => callback(abortedError(signal));
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}
