import type { Readable } from "node:stream";
import type { ReadFile } from "../config/json-file.ts";
import type { Environment } from "../config/variables.ts";
import type { Config } from "../config.ts";

/** Standard input: a terminal, which can be told not to echo, or a pipe. */
export interface CliInput extends Readable {
  readonly isTTY?: boolean;
}

export interface CliOutput {
  write(text: string): unknown;
}

/** What the command line needs of the process around it. */
export interface CliIo {
  readonly stdin: CliInput;
  readonly stdout: CliOutput;
  readonly stderr: CliOutput;
  readonly env: Environment;
  readonly readFile: ReadFile;
  /** Printed by `posthorn --version`. */
  readonly version: string;
  /** Runs the broker. What it throws is not caught here. */
  serve(config: Config): Promise<void>;
}
