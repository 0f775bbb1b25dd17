import type { CheckProgress } from "../embedded/store/lmdb/check/check-report.ts";
import { formatBytes, formatCount } from "./amounts.ts";
import type { CliOutput } from "./cli-io.ts";

const eraseLine = "\r\u001b[K";

/** A line that is written again and again on a terminal, and not at all elsewhere. */
export class ProgressLine {
  readonly #terminal: CliOutput;

  constructor(terminal: CliOutput) {
    this.#terminal = terminal;
  }

  show({ table, rows, bytes, fileBytes }: CheckProgress): void {
    if (!this.#terminal.isTTY) return;
    const share = `${formatBytes(bytes)} of a file of ${formatBytes(fileBytes)}`;
    this.#terminal.write(`${eraseLine}Checking ${table}: ${formatCount(rows)} rows, ${share}`);
  }

  clear(): void {
    if (this.#terminal.isTTY) this.#terminal.write(eraseLine);
  }
}
