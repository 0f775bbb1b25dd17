import { parseArgs } from "node:util";

export const help = `Replays 830 real orders through a broker to four services and a page.

npm run example:orders -- [options]

  --crash              kill the broker with SIGKILL on the way, and start it again
  --crashes <n>        how often (5)
  --seed <n>           makes the moments of the crashes the same as in an earlier run
  --rate <n>           events a second (1500); 0: as fast as it goes
  --wait-for-browser   start the replay when the page is open
  --keep               leave broker and page running at the end, until Ctrl-C
  --help
`;

export interface Options {
  /** How often the broker is killed. */
  readonly crashes: number;
  readonly seed: number;
  /** 0: no limit. */
  readonly eventsPerSecond: number;
  readonly waitForBrowser: boolean;
  readonly keep: boolean;
  readonly help: boolean;
}

/** @throws Error that names the option. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      crash: { type: "boolean", default: false },
      crashes: { type: "string", default: "5" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000)) },
      rate: { type: "string", default: "1500" },
      "wait-for-browser": { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  return {
    crashes: values.crash ? wholeNumber("--crashes", values.crashes) : 0,
    seed: wholeNumber("--seed", values.seed),
    eventsPerSecond: wholeNumber("--rate", values.rate),
    waitForBrowser: values["wait-for-browser"],
    keep: values.keep,
    help: values.help,
  };
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option} must be a whole number, not "${text}".`);
  return Number(text);
}
