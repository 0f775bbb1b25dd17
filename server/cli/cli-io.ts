import type { Readable } from "node:stream";
import type { ReadFile } from "../config/json-file.ts";
import type { Environment } from "../config/variables.ts";
import type { Config } from "../config.ts";
import type { BackupOptions, BackupReport } from "../embedded/store/lmdb/backup.ts";
import type { CheckOptions } from "../embedded/store/lmdb/check/check-directory.ts";
import type { CheckOutcome } from "../embedded/store/lmdb/check/check-tasks.ts";

/** Standard input: a terminal, which can be told not to echo, or a pipe. */
export interface CliInput extends Readable {
  readonly isTTY?: boolean;
}

export interface CliOutput {
  readonly isTTY?: boolean;
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
  /** @throws CommandFailure if it could not be checked. */
  checkStore(directory: string, options: CheckOptions): Promise<CheckOutcome>;
  /** @throws CommandFailure if there is no copy. */
  backupStore(directory: string, target: string, options: BackupOptions): Promise<BackupReport>;
}
