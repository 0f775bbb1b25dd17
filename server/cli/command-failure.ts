/** A command could not be carried out; the message says why. Exit code 1. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}
