import type { PosthornError } from "../protocol/errors.ts";
import type { Batch } from "./outbox.ts";
import type { PublishRetry } from "./publish-retry.ts";
import type { ReturnedError } from "./returned-error.ts";

/** What is known of a message once `publish` has resolved. */
export interface PublishReceipt {
  /** The broker has taken over: on disk in every durable queue that it was routed to. False with `confirm: false`. */
  readonly confirmed: boolean;
}

/** A publish that is not through yet. */
export interface Publish {
  readonly flags: number;
  readonly size: number;
  readonly retry: PublishRetry | undefined;
  /** 0 until it is sent, and again if it was refused and will be sent once more. */
  number: number;
  /** Its envelope lies in a batch that was sent, or, if it never was, in bytes of its own. */
  batch: Batch;
  start: number;
  /** Confirmed, refused or given up by the caller. */
  done: boolean;
  returned: ReturnedError | undefined;
  resolve: ((receipt: PublishReceipt) => void) | undefined;
  reject: ((error: PosthornError) => void) | undefined;
}
