import { didYouMean } from "../config/nearest-name.ts";
import { ConfigError, loadConfig } from "../config.ts";
import type { CliIo } from "./cli-io.ts";
import { runHashPassword } from "./hash-password.ts";
import { helpText } from "./help.ts";

/** Exit code for a command line or a setting that is wrong. */
const usageError = 2;

async function runServe(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    const config = loadConfig({ argv, env: io.env, readFile: io.readFile });
    await io.serve(config);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return usageError;
  }
}

function unknownCommand(command: string, io: CliIo): number {
  const near = didYouMean(command, ["serve", "hash-password", "help"]);
  io.stderr.write(`There is no command ${JSON.stringify(command)}${near}\n\n${helpText()}`);
  return usageError;
}

function runHelp(command: string | undefined, io: CliIo): number {
  const text = helpText(command);
  if (text === undefined) return unknownCommand(command!, io);
  io.stdout.write(text);
  return 0;
}

function asksForHelp(argv: readonly string[]): boolean {
  return argv.some((argument) => argument === "--help" || argument === "-h");
}

/**
 * Runs `posthorn` with the arguments that follow it.
 *
 * @returns the exit code, once the command is done: 0, 1 for a failed command, 2 for a wrong command line or setting.
 * @throws whatever `io.serve` throws, except ConfigError.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case undefined:
      io.stderr.write(helpText()!);
      return usageError;
    case "--version":
    case "-v":
      io.stdout.write(`${io.version}\n`);
      return 0;
    case "--help":
    case "-h":
      return runHelp(undefined, io);
    case "help":
      return runHelp(rest[0], io);
    case "serve":
      return asksForHelp(rest) ? runHelp(command, io) : runServe(rest, io);
    case "hash-password":
      if (asksForHelp(rest)) return runHelp(command, io);
      if (rest.length === 0) return runHashPassword(io);
      io.stderr.write(
        "hash-password takes no arguments: it asks for the password, or reads it from a pipe.\n",
      );
      return usageError;
    default:
      return unknownCommand(command, io);
  }
}
