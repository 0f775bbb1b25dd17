import { formatE4 } from "./money.ts";
import type { Service } from "./services.ts";
import type { Totals } from "./tally.ts";

/** What one service has counted. */
export interface Counted {
  readonly service: Service;
  readonly totals: Totals;
  readonly repeats: number;
}

const columns = [
  ["orders", "orders"],
  ["lines", "lines"],
  ["revenueE4", "revenue"],
  ["shipped", "shipped"],
  ["late", "late"],
] as const;

/** Whether the service has counted what the files say: nothing more, nothing less, and in each country. */
export function isEqual({ service, totals }: Counted, expected: Totals): boolean {
  const countries = service.counts.includes("revenueE4") ? expected.revenueE4ByCountry : {};
  const names = new Set([...Object.keys(countries), ...Object.keys(totals.revenueE4ByCountry)]);
  return (
    columns.every(([key]) => totals[key] === (service.counts.includes(key) ? expected[key] : 0)) &&
    [...names].every((name) => totals.revenueE4ByCountry[name] === countries[name])
  );
}

/** The table that the example ends with. */
export function comparisonTable(counted: readonly Counted[], expected: Totals): string {
  const cell = (totals: Totals, key: (typeof columns)[number][0]) =>
    key === "revenueE4" ? formatE4(totals[key]) : totals[key].toLocaleString("en");
  const rows = [
    ["", ...columns.map(([, title]) => title), "repeats", ""],
    ["CSV files", ...columns.map(([key]) => cell(expected, key)), "", ""],
    ...counted.map((each) => [
      each.service.name,
      ...columns.map(([key]) =>
        each.service.counts.includes(key) || each.totals[key] !== 0 ? cell(each.totals, key) : "–",
      ),
      each.repeats.toLocaleString("en"),
      isEqual(each, expected) ? "equal" : "DIFFERENT",
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((text, column) =>
        column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join("   ")
      .trimEnd(),
  );
  lines.splice(1, 0, "─".repeat(widths.reduce((sum, width) => sum + width + 3, -3)));
  return lines.join("\n");
}
