import type { HeaderValue } from "../../protocol/header-value.ts";

/** What the rules say, written for reading; the routers are held against it. */
export function topicMatches(bindingKey: string, routingKey: string): boolean {
  const words = (key: string) => (key === "" ? [] : key.split("."));
  return wordsMatch(words(bindingKey), words(routingKey));
}

export function wordsMatch(pattern: readonly string[], message: readonly string[]): boolean {
  const known = new Map<number, boolean>();
  const from = (p: number, m: number): boolean => {
    const place = p * 1000 + m;
    const answer = known.get(place) ?? decide(p, m);
    known.set(place, answer);
    return answer;
  };
  const decide = (p: number, m: number): boolean => {
    if (p === pattern.length) return m === message.length;
    if (pattern[p] === "#") return from(p + 1, m) || (m < message.length && from(p, m + 1));
    return m < message.length && (pattern[p] === "*" || pattern[p] === message[m]) && from(p + 1, m + 1);
  };
  return from(0, 0);
}

/** A header value with a label that equal values share, so that the naive matcher needs no idea of equality. */
export interface LabelledValue {
  readonly label: string;
  readonly value: HeaderValue;
}

const labelled = (label: string, ...values: HeaderValue[]): LabelledValue[] =>
  values.map((value) => ({ label, value }));

/** Values of every type, several of them equal, and many that only look alike. */
export const labelledValues: readonly LabelledValue[] = [
  ...labelled("null", null),
  ...labelled("true", true),
  ...labelled("false", false),
  ...labelled("integer 0", 0, -0, 0n),
  ...labelled("integer 1", 1, 1.0, 1n),
  ...labelled("integer 2^53 - 1", Number.MAX_SAFE_INTEGER, 2n ** 53n - 1n),
  ...labelled("integer 2^53", 2n ** 53n),
  ...labelled("double 2^53", 2 ** 53),
  ...labelled("double 1.5", 1.5),
  ...labelled("double NaN", Number.NaN),
  ...labelled("string 1", "1"),
  ...labelled("string 0", "0"),
  ...labelled("string empty", ""),
  ...labelled("string null", "null"),
  ...labelled("string i1", "i1"),
  ...labelled("date 1", new Date(1), new Date(1)),
  ...labelled("date 2", new Date(2)),
  ...labelled("bytes empty", new Uint8Array(0)),
  ...labelled("bytes 1", new Uint8Array([1]), new Uint8Array([0, 1, 2]).subarray(1, 2)),
  ...labelled("bytes 11", new Uint8Array([1, 1])),
  ...labelled("bytes 1 and 11", new Uint8Array([1, 11])),
  ...labelled("bytes 11 and 1", new Uint8Array([11, 1])),
  ...labelled("list empty", []),
  ...labelled("list 1", [1], [1n]),
  ...labelled("list of list 1", [[1]]),
  ...labelled("list 1, 2", [1, 2]),
  ...labelled("list 2, 1", [2, 1]),
  ...labelled("list of strings", ["a", "b"]),
  ...labelled("list of one string", ['a","b']),
  ...labelled("table empty", {}),
  ...labelled("table a", { a: 1 }, { a: 1n }),
  ...labelled("table a, b", { a: 1, b: [null] }, { b: [null], a: 1n }),
  ...labelled("table a, c", { a: 1, c: [null] }),
  ...labelled("table with index names", { 0: 1 }),
];

/** Headers or arguments by name, with labelled values. */
export type LabelledHeaders = Readonly<Record<string, LabelledValue>>;

export function headersMatch(args: LabelledHeaders, headers: LabelledHeaders): boolean {
  const mode = args["x-match"] === undefined ? "all" : String(args["x-match"].value);
  const answers = Object.entries(args)
    .filter(([name]) => name !== "x-match" && (mode.endsWith("-with-x") || !name.startsWith("x-")))
    .map(([name, wanted]) => {
      const found = Object.hasOwn(headers, name) ? headers[name] : undefined;
      return found !== undefined && (wanted.value === null || wanted.label === found.label);
    });
  return mode.startsWith("all") ? !answers.includes(false) : answers.includes(true);
}
