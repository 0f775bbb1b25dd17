import type { DestinationStream, Logger, LoggerOptions } from "pino";
import { destination, pino, stdTimeFunctions } from "pino";
import { PinoPretty } from "pino-pretty";
import type { Config } from "./config.ts";

export type { Logger } from "pino";

const secrets = ["password", "passwordHash", "credentials", "authorization", "token", "secret"];

export interface LogOptions extends Pick<Config, "logLevel" | "logFormat"> {
  /** Where lines go. Default standard output. */
  readonly stream?: DestinationStream;
  /** Whether that is a terminal: `auto` is pretty there, and pretty lines have colours. Default: as standard output is. */
  readonly isTerminal?: boolean;
}

/** So that no text from a client begins a line of its own or speaks to the terminal. */
function escaped(value: unknown): string {
  const code = (control: string) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return String(value ?? "").replace(/\p{Cc}/gu, code);
}

/** Makes the broker's logger: one line an event, on standard output; the stack of an error follows on lines of its own. */
export function createLogger({ logLevel, logFormat, stream, isTerminal }: LogOptions): Logger {
  const terminal = isTerminal ?? process.stdout.isTTY === true;
  const options: LoggerOptions = {
    level: logLevel,
    // Process id and host name are the same in every line; those who collect logs add them.
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  };
  const pretty = logFormat === "pretty" || (logFormat === "auto" && terminal);
  if (!pretty) return pino(options, stream ?? destination({ dest: 1, sync: true }));
  return pino(
    options,
    // A stream in this process: a worker thread would lose the last lines of a crash.
    PinoPretty({
      colorize: terminal,
      singleLine: true,
      translateTime: "SYS:HH:MM:ss.l",
      messageFormat: (event, key) => escaped(event[key]),
      // pino-pretty puts these fields before the message, as they are unless told otherwise.
      customPrettifiers: { name: escaped, pid: escaped, hostname: escaped, caller: escaped },
      destination: stream ? (stream as NodeJS.WritableStream) : 1,
      sync: true,
    }),
  );
}
