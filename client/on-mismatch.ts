/**
 * What happens if what is declared is there already and differs.
 *
 * - `fail`, the default: `precondition-failed`; `details.differences` name each property and argument with what was
 *   `declared` and what is `existing`.
 * - `keep`: it is taken as it is.
 * - `update`: it is changed while it is in use, with the messages that are in it. What cannot be changed (`durable`, a
 *   queue's `exclusive`, an exchange's `type`) is refused with `precondition-failed`, and then nothing is changed. After a
 *   reconnect it is not done again: by then somebody else may have changed it for good reason.
 */
export type OnMismatch = "fail" | "keep" | "update";

/** What a declaration says when it is made again after a reconnect. */
export function whenRepeated<T extends { readonly onMismatch?: OnMismatch }>(content: T): T {
  return content.onMismatch === "update" ? { ...content, onMismatch: "keep" } : content;
}
