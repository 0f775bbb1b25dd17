import { PosthornError } from "../protocol/errors.ts";

/** An option as it was given, or what it is by default. @throws PosthornError `invalid-argument` that names the option. */
export function atLeast(minimum: number, name: string, value: number | undefined, preset: number): number {
  if (value === undefined) return preset;
  if (typeof value === "number" && value >= minimum) return value;
  throw invalidOption(name, `a number of at least ${minimum}`);
}

/** @param allowed what it must be, as the end of a sentence. */
export function invalidOption(name: string, allowed: string): PosthornError {
  return new PosthornError("invalid-argument", `The option ${name} must be ${allowed}.`, { option: name });
}
