import { didYouMean } from "../config/nearest-name.ts";
import { ConfigError, loadConfig } from "../config.ts";
import { runBackup } from "./backup.ts";
import { runCheck } from "./check.ts";
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
  const near = didYouMean(command, ["serve", "check", "backup", "hash-password", "help"]);
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

/** Directories and switches; undefined, after saying why, if they are not what the command takes. */
function parseArguments(
  command: string,
  argv: readonly string[],
  directories: readonly string[],
  switches: readonly string[],
  io: CliIo,
): { readonly paths: readonly string[]; readonly given: ReadonlySet<string> } | undefined {
  const paths = argv.filter((argument) => !argument.startsWith("-"));
  const given = new Set(argv.filter((argument) => argument.startsWith("-")));
  const unknown = [...given].find((argument) => !switches.includes(argument));
  if (unknown !== undefined) {
    io.stderr.write(
      `${command} has no flag ${unknown}${didYouMean(unknown, switches)}\n\n${helpText(command)}`,
    );
    return undefined;
  }
  if (paths.length !== directories.length) {
    io.stderr.write(`${command} takes ${directories.join(" and ")}\n\n${helpText(command)}`);
    return undefined;
  }
  return { paths, given };
}

function parseCheck(argv: readonly string[], io: CliIo): Promise<number> | number {
  const parsed = parseArguments("check", argv, ["DATA_DIR"], ["--repair", "--json"], io);
  if (parsed === undefined) return usageError;
  const { paths, given } = parsed;
  return runCheck({ directory: paths[0]!, repair: given.has("--repair"), json: given.has("--json") }, io);
}

function parseBackup(argv: readonly string[], io: CliIo): Promise<number> | number {
  const parsed = parseArguments("backup", argv, ["DATA_DIR", "TARGET_DIR"], ["--no-verify"], io);
  if (parsed === undefined) return usageError;
  const { paths, given } = parsed;
  return runBackup({ directory: paths[0]!, target: paths[1]!, verify: !given.has("--no-verify") }, io);
}

/**
 * Runs `posthorn` with the arguments that follow it.
 *
 * @returns the exit code, once the command is done: 0, 1 for a failed command, 2 for a wrong command line or setting, 3 for
 * a store with problems.
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
    case "check":
      return asksForHelp(rest) ? runHelp(command, io) : parseCheck(rest, io);
    case "backup":
      return asksForHelp(rest) ? runHelp(command, io) : parseBackup(rest, io);
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
