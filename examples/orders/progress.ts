const plainIntervalMs = 500;

/** One line that is rewritten on a terminal; elsewhere a line every now and then. */
export class Progress {
  readonly #isTerminal = process.stdout.isTTY === true;
  #shownAt = Number.NEGATIVE_INFINITY;
  #line = "";

  show(line: string): void {
    if (line === this.#line) return;
    if (this.#isTerminal) {
      this.#line = line;
      process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`);
    } else if (performance.now() - this.#shownAt >= plainIntervalMs) {
      this.#line = line;
      this.#shownAt = performance.now();
      console.log(line);
    }
  }

  /** A line that stays. */
  say(line: string): void {
    if (this.#isTerminal) process.stdout.write("\r\x1b[K");
    console.log(line);
    this.#line = "";
  }
}
