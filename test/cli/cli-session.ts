import { PassThrough } from "node:stream";
import type { CliInput, CliIo } from "../../server/cli/cli-io.ts";
import { runCli } from "../../server/cli/run.ts";
import type { Config } from "../../server/config.ts";

export interface CliRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the broker was started with, if it was. */
  readonly served: Config | undefined;
}

export interface CliSession {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** What is piped in. */
  readonly piped?: string;
  /** What a person types on a terminal, instead of a pipe. */
  readonly typed?: string;
  readonly serve?: (config: Config) => Promise<void>;
  readonly checkStore?: CliIo["checkStore"];
  readonly backupStore?: CliIo["backupStore"];
}

/** Runs the command line in this process. */
export async function cli(argv: readonly string[], session: CliSession = {}): Promise<CliRun> {
  let stdout = "";
  let stderr = "";
  let served: Config | undefined;
  const input = new PassThrough();
  const stdin: CliInput =
    session.typed === undefined ? input : Object.assign(input, { isTTY: true, setRawMode() {} });
  if (session.typed !== undefined) input.write(session.typed);
  else input.end(session.piped ?? "");
  const exitCode = await runCli(argv, {
    stdin,
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: session.env ?? {},
    readFile: (path) => {
      const content = session.files?.[path];
      if (content === undefined) throw Object.assign(new Error("missing"), { code: "ENOENT" });
      return content;
    },
    version: "1.2.3",
    serve: async (config) => {
      served = config;
      await session.serve?.(config);
    },
    checkStore: session.checkStore ?? unexpected,
    backupStore: session.backupStore ?? unexpected,
  });
  return { exitCode, stdout, stderr, served };
}

function unexpected(): Promise<never> {
  return Promise.reject(new Error("nothing was to be done with a store"));
}
