import { once } from "node:events";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import type { CliInput, CliOutput } from "./cli-io.ts";

/** There is no usable password; the message says why. */
export class PasswordError extends Error {
  override readonly name = "PasswordError";
}

/** Asks on a terminal, twice, without echo: readline edits the line, and what it would draw goes nowhere. */
async function ask(terminal: CliInput, prompts: CliOutput): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: terminal, output: nowhere, terminal: true, historySize: 0 });
  // The second line may come in the same chunk as the first: both are queued by one iterator from the start.
  const queue = lines[Symbol.asyncIterator]();
  let interrupted = false;
  lines.on("SIGINT", () => {
    interrupted = true;
    lines.close();
  });
  const line = async (prompt: string): Promise<string> => {
    prompts.write(prompt);
    const { value, done } = await queue.next();
    prompts.write("\n");
    if (interrupted || done) throw new PasswordError("No password was given.");
    return value;
  };
  try {
    const password = await line("Password: ");
    if ((await line("Again: ")) !== password) throw new PasswordError("The two passwords differ.");
    return password;
  } finally {
    lines.close();
  }
}

/** All of a pipe, without the line break that `echo` adds. */
async function readAll(pipe: CliInput): Promise<string> {
  const chunks: Buffer[] = [];
  pipe.on("data", (chunk: Buffer | string) => chunks.push(Buffer.from(chunk)));
  await once(pipe, "end");
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

/**
 * Reads a password from a terminal or a pipe. Never from an argument: those show in process lists and shell histories.
 * Prompts go to `prompts`, so that the result can be redirected.
 */
export async function readPassword(input: CliInput, prompts: CliOutput): Promise<string> {
  return input.isTTY ? ask(input, prompts) : readAll(input);
}
