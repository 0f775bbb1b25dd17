import { unknownArgument } from "../../protocol/argument-check.ts";
import { type ArgumentKind, argumentTables } from "../../protocol/arguments.ts";
import { PosthornError } from "../../protocol/errors.ts";
import type { Headers } from "../../protocol/header-value.ts";

/** Arguments of later versions. They are refused rather than ignored, so that nobody relies on what is not there. */
export const notBuilt: { readonly [kind in ArgumentKind]: readonly string[] } = {
  exchange: ["retain", "deduplication"],
  queue: ["type", "deduplication"],
  consumer: ["onSlow"],
};

/** @throws PosthornError `not-implemented` for an argument of a later version, `invalid-argument` for one that nobody knows. */
export function assertBuilt(kind: ArgumentKind, args: Headers): void {
  for (const name of Object.keys(args)) {
    if (notBuilt[kind].includes(name)) {
      throw new PosthornError(
        "not-implemented",
        `The ${kind} argument ${JSON.stringify(name)} is not implemented yet.`,
        { argument: name },
      );
    }
    if (!Object.hasOwn(argumentTables[kind], name)) throw unknownArgument(kind, name);
  }
}
