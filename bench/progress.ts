const barLength = 24;

/** Says on stderr how far a run is: a bar that is drawn over on a terminal, plain lines elsewhere. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #total: number;
  #done = 0;

  constructor(stream: NodeJS.WriteStream, total: number) {
    this.#stream = stream;
    this.#total = total;
  }

  begin(what: string): void {
    if (!this.#stream.isTTY) {
      this.#stream.write(`${this.#done + 1}/${this.#total} ${what}\n`);
      return;
    }
    this.#stream.write(`\r\x1b[K${progressBar(this.#done, this.#total)} ${what}`);
  }

  done(steps = 1): void {
    this.#done += steps;
  }

  /** A line that stays. */
  note(line: string): void {
    this.#stream.write(`${this.#stream.isTTY ? "\r\x1b[K" : ""}${line}\n`);
  }

  end(): void {
    if (this.#stream.isTTY) this.#stream.write("\r\x1b[K");
  }
}

export function progressBar(done: number, total: number): string {
  const filled = total === 0 ? barLength : Math.round((done / total) * barLength);
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
  return `${"█".repeat(filled)}${"░".repeat(barLength - filled)} ${percent} %`;
}
