import { PosthornError } from "../../protocol/errors.ts";
import type { RequestFrame } from "../../protocol/frames.ts";

/** What becomes of a consumer whose client reads too slowly. */
export type WhenSlow = NonNullable<RequestFrame<"queue.consume">["whenSlow"]>;

export interface SlowConsumerLimits {
  /** For a consumer that names none. */
  readonly slowConsumer: WhenSlow;
  /** What a consumer may ask for. */
  readonly slowConsumerAllowed: readonly WhenSlow[];
}

/**
 * The policy that holds for a consumer that asks for this one.
 * @throws PosthornError `invalid-argument`
 */
export function whenSlowFor(
  asked: WhenSlow | undefined,
  noAck: boolean,
  { slowConsumer, slowConsumerAllowed: allowed }: SlowConsumerLimits,
): WhenSlow {
  const field = "whenSlow";
  if (asked !== undefined && !allowed.includes(asked)) {
    const message = `This broker does not allow whenSlow ${JSON.stringify(asked)}.`;
    throw new PosthornError("invalid-argument", message, { field, allowed });
  }
  if ((asked ?? slowConsumer) !== "conflate" || noAck) return asked ?? slowConsumer;
  if (asked === undefined) return allowed.includes("pause") ? "pause" : "close";
  const message = 'whenSlow "conflate" drops messages: it is for consumers with noAck.';
  throw new PosthornError("invalid-argument", message, { field });
}
