import { readFileSync } from "node:fs";

export type Row<Column extends string> = Readonly<Record<Column, string>>;

/**
 * Reads columns of a table in `data/`. Its fields are not quoted, so a comma inside a text looks like one more field;
 * `commaColumn` names the column whose texts may have one, and gets the surplus back.
 */
export function readCsv<Column extends string>(
  table: string,
  columns: readonly Column[],
  commaColumn?: string,
): Row<Column>[] {
  const text = readFileSync(new URL(`./data/${table}.csv`, import.meta.url), "utf8");
  const [header = [], ...rows] = text
    .split(/\r?\n/)
    .filter((line) => line !== "")
    .map((line) => line.split(","));
  const places = columns.map((column) => {
    const place = header.indexOf(column);
    if (place < 0) throw new Error(`${table}.csv has no column ${column}`);
    return [column, place] as const;
  });
  const commaPlace = commaColumn === undefined ? -1 : header.indexOf(commaColumn);

  return rows.map((fields, index) => {
    const surplus = fields.length - header.length;
    if (surplus < 0 || (surplus > 0 && commaPlace < 0)) {
      throw new Error(`${table}.csv, row ${index + 1}: ${fields.length} fields instead of ${header.length}`);
    }
    if (surplus > 0)
      fields.splice(commaPlace, surplus + 1, fields.slice(commaPlace, commaPlace + surplus + 1).join(","));
    return Object.fromEntries(places.map(([column, place]) => [column, fields[place] ?? ""])) as Row<Column>;
  });
}
