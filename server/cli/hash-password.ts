import { hashPassword, maxPasswordLength } from "../broker/password-hash.ts";
import type { CliIo } from "./cli-io.ts";
import { PasswordError, readPassword } from "./read-password.ts";

function check(password: string): void {
  if (password === "") throw new PasswordError("The password is empty.");
  if (/\p{Cc}/u.test(password))
    throw new PasswordError("The password has a line break or another control character.");
  if (password.length > maxPasswordLength) {
    throw new PasswordError(`The password is longer than ${maxPasswordLength} characters.`);
  }
}

/** `posthorn hash-password`: prints nothing but the hash on standard output. Returns the exit code. */
export async function runHashPassword(io: CliIo): Promise<number> {
  try {
    const password = await readPassword(io.stdin, io.stderr);
    check(password);
    io.stdout.write(`${await hashPassword(password)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof PasswordError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return 1;
  }
}
