const durationUnits: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

const sizeUnits: ReadonlyMap<string, number> = new Map([
  ["b", 1],
  ["kb", 1000],
  ["mb", 1000 ** 2],
  ["gb", 1000 ** 3],
  ["kib", 1024],
  ["mib", 1024 ** 2],
  ["gib", 1024 ** 3],
]);

function parse(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/.exec(text.trim().toLowerCase());
  if (!match) return undefined;
  const [, digits, unit] = match;
  const factor = unit === "" ? 1 : units.get(unit ?? "");
  if (factor === undefined) return undefined;
  const exact = Number(digits) * factor;
  const whole = Math.round(exact);
  // 1.1 * 1000 is 1100.0000000000002.
  return Math.abs(exact - whole) < 1e-6 * factor ? whole : undefined;
}

/** `"500ms"`, `"30s"`, `"2m"`, `"1h"`, `"1d"` or plain milliseconds, as milliseconds; `undefined` if it is none of these. */
export function parseDurationMs(text: string): number | undefined {
  return parse(text, durationUnits);
}

/** `"64kB"` (1000), `"16MiB"` (1024²), … or plain bytes, as bytes; `undefined` if it is none of these. */
export function parseBytes(text: string): number | undefined {
  return parse(text, sizeUnits);
}

function format(value: number, units: readonly (readonly [string, number])[]): string {
  for (const [unit, factor] of units)
    if (value >= factor && value % factor === 0) return `${value / factor}${unit}`;
  return String(value);
}

/** The shortest exact way to write it: 20000 → `20s`. */
export function formatDuration(ms: number): string {
  return format(ms, [
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
    ["ms", 1],
  ]);
}

/** The shortest exact way to write it: 65536 → `64KiB`. */
export function formatBytes(bytes: number): string {
  return format(bytes, [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
    ["B", 1],
  ]);
}
