import {
  type ErrorCode,
  type ErrorDetails,
  errorCatalogue,
  errorCodeByNumber,
  PosthornError,
} from "../protocol/errors.ts";

/** An error as a frame tells it. A code of a newer broker reads as `internal-error`, with the code in `details`. */
export function wireError(code: string, message: string, details?: ErrorDetails): PosthornError {
  if (Object.hasOwn(errorCatalogue, code)) return new PosthornError(code as ErrorCode, message, details);
  return new PosthornError("internal-error", message, { ...details, code });
}

/** What a WebSocket's close means. */
export function closeError(closeCode: number, reason: string, opened: boolean): PosthornError {
  const details = { closeCode };
  for (const [code, row] of Object.entries(errorCatalogue)) {
    if ("closeCode" in row && row.closeCode === closeCode) {
      return new PosthornError(code as ErrorCode, reason === "" ? row.meaning : reason, details);
    }
  }
  const why = reason === "" ? `close code ${closeCode}` : `${reason} (close code ${closeCode})`;
  return opened
    ? new PosthornError("connection-closed", `The connection was closed: ${why}.`, details)
    : new PosthornError("connect-failed", `No connection could be made: ${why}.`, details);
}

/** Whether an error tells that the session ended before the answer came. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof PosthornError && error.code === "connection-closed";
}

/** An error as a binary frame tells it. */
export function numberedError(number: number, message: string): PosthornError {
  return new PosthornError(errorCodeByNumber(number), message);
}
