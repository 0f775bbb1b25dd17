import { type ErrorCode, PosthornError } from "../protocol/errors.ts";
import type { EnvelopeView } from "./envelope-view.ts";

/** A mandatory message that came back because no queue is bound for it. */
export class ReturnedError extends PosthornError {
  override readonly name = "ReturnedError";
  /** The message, as it was published. */
  readonly returned: EnvelopeView;

  /** @internal */
  constructor(code: ErrorCode, message: string, returned: EnvelopeView) {
    super(code, message);
    this.returned = returned;
  }
}
