import { longestMs } from "../../protocol/arguments.ts";
import { boundedReason, type SettleDetail } from "../../protocol/delivery-history.ts";
import { PosthornError } from "../../protocol/errors.ts";
import type { SettleOutcome } from "../engine/engine.ts";

/**
 * What a client says with a settlement, cut to what is kept of it.
 * @throws PosthornError `invalid-argument` if it does not go with the outcome.
 */
export function checkedSettleDetail(outcome: SettleOutcome, { delay, reason }: SettleDetail): SettleDetail {
  if (delay > 0 && outcome !== "requeue") throw misplaced("delay", "goes with the outcome requeue only");
  if (delay > longestMs) throw misplaced("delay", `is at most ${longestMs} ms`);
  if (reason === undefined) return { delay, reason };
  if (outcome !== "requeue" && outcome !== "reject")
    throw misplaced("reason", "goes with the outcomes requeue and reject only");
  return { delay, reason: boundedReason(reason) };
}

function misplaced(field: string, problem: string): PosthornError {
  return new PosthornError("invalid-argument", `The ${field} of a settlement ${problem}.`, { field });
}
