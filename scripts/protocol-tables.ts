/**
 * The tables of docs/protocol.md that follow from the code. `npx tsx scripts/protocol-tables.ts` writes them into the
 * document, each between its two markers; a test compares.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argumentTables } from "../protocol/arguments.ts";
import { deliverFlags, publishFlags } from "../protocol/binary-frames.ts";
import { envelopeFlags } from "../protocol/envelope.ts";
import { type ErrorRow, errorCatalogue } from "../protocol/errors.ts";
import {
  jsonMessage,
  jsonProperties,
  messageFrames,
  notices,
  outcomeCodes,
  requests,
  reservedFrameTypes,
} from "../protocol/frames.ts";
import { headerTags } from "../protocol/headers.ts";
import type { Fields, JsonSchema } from "../protocol/schema.ts";
import { notBuilt } from "../server/broker/not-built.ts";

export const documentPath = join(import.meta.dirname, "..", "docs", "protocol.md");

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

function formatNumber(value: number): string {
  if (value === Number.MAX_SAFE_INTEGER) return "2^53 − 1";
  if (value === 2 ** 32 - 1) return "2^32 − 1";
  return String(value);
}

function typeOf(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `\`"${String(value)}"\``).join(", ");
  switch (schema.type) {
    case "integer":
      return `integer, ${formatNumber(schema.minimum as number)} to ${formatNumber(schema.maximum as number)}`;
    case "number":
      return `number, ${formatNumber(schema.minimum as number)} to ${formatNumber(schema.maximum as number)}`;
    case "string":
      return schema.maxLength === undefined ? "string" : `string, up to ${String(schema.maxLength)}`;
    case "array":
      return "list";
    case undefined:
      return "any JSON";
    default:
      return String(schema.type);
  }
}

function fieldRows(
  properties: { readonly [name: string]: JsonSchema },
  needed: readonly string[],
  path = "",
): string[][] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const description = String(schema.description);
    const row = [`\`${path}${name}\``, typeOf(schema), needed.includes(name) ? "yes" : "no", description];
    const [whole, dot] = schema.type === "array" ? [schema.items as JsonSchema, "[]."] : [schema, "."];
    if (whole.properties === undefined) return [row];
    const inner = whole.properties as { [name: string]: JsonSchema };
    return [row, ...fieldRows(inner, whole.required as string[], `${path}${name}${dot}`)];
  });
}

function fieldTable(fields: Fields, without: readonly string[] = []): string {
  const shown = Object.entries(fields).filter(([name]) => !without.includes(name));
  const needed = shown.filter(([, field]) => !field.optional).map(([name]) => name);
  const rows = fieldRows(Object.fromEntries(shown.map(([name, field]) => [name, field.json])), needed);
  return table(["Field", "Type", "Needed", "Meaning"], rows);
}

function argumentTable(fields: Fields): string {
  const rows = fieldRows(
    Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.json])),
    [],
  );
  return table(
    ["Argument", "Type", "Meaning"],
    rows.map(([name, type, , meaning]) => [name!, type!, meaning!]),
  );
}

function answerTable(fields: Fields): string {
  const needed = Object.keys(fields);
  const rows = fieldRows(
    Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.json])),
    needed,
  );
  return table(
    ["Field of the answer", "Type", "Meaning"],
    rows.map(([name, type, , meaning]) => [name!, type!, meaning!]),
  );
}

function requestSection(type: string, row: { description: string; fields: Fields; reply: Fields }): string {
  const parts = [`#### \`${type}\``, row.description];
  if (Object.keys(row.fields).length > 1) parts.push(fieldTable(row.fields, ["id"]));
  if (Object.keys(row.reply).length > 0) parts.push(answerTable(row.reply));
  return parts.join("\n\n");
}

function noticeSection(type: string, row: { description: string; fields: Fields; sender: string }): string {
  const sender = { server: "From the broker.", client: "From the client.", both: "From both sides." }[
    row.sender
  ];
  const parts = [`#### \`${type}\``, `${sender} ${row.description}`];
  if (Object.keys(row.fields).length > 0) parts.push(fieldTable(row.fields));
  return parts.join("\n\n");
}

/** How each property stands in the envelope. */
const propertyLayouts: { readonly [name in keyof typeof envelopeFlags]: string } = {
  persistent: "the flag alone",
  contentType: "str8",
  contentEncoding: "str8",
  priority: "u8",
  correlationId: "str8",
  replyTo: "str8",
  expiration: "varint",
  messageId: "str8",
  timestamp: "varint",
  type: "str8",
  userId: "str8",
  appId: "str8",
  headers: "varint length in bytes, then a table",
};

const headerLayouts: { readonly [kind in keyof typeof headerTags]: readonly [layout: string, json: string] } =
  {
    null: ["nothing", "`null`"],
    false: ["nothing", "`false`"],
    true: ["nothing", "`true`"],
    integer: ["zigzag varint, 64 bits", 'number; beyond ±(2^53 − 1) `{"$integer":"…"}`'],
    double: ["f64", 'number; `{"$double":"NaN"}`, `"Infinity"`, `"-Infinity"`, `"-0"`'],
    string: ["strv", "string"],
    bytes: ["varint length, the bytes", '`{"$bytes":"…base64…"}`'],
    timestamp: ["zigzag varint, milliseconds since 1970", '`{"$timestamp":…}`'],
    array: ["varint count, that many values", "array"],
    table: ["a table", 'object; `{"$table":{…}}` if it has a single name that begins with `$`'],
  };

function errorRows(scope: ErrorRow["scope"]): string[][] {
  return Object.entries(errorCatalogue as { readonly [code: string]: ErrorRow })
    .filter(([, row]) => row.scope === scope)
    .map(([code, { number, closeCode, amqp, retry, meaning }]) => {
      const name = `\`${code}\``;
      if (scope === "client") return [name, String(number), retry ? "yes" : "no", meaning];
      const middle = scope === "session" ? [String(number), String(closeCode)] : [String(number)];
      return [name, ...middle, String(amqp), retry ? "yes" : "no", meaning];
    });
}

function bits(flags: { readonly [name: string]: number }): string {
  return Object.entries(flags)
    .map(([name, bit]) => `${bit} \`${name}\``)
    .join(", ");
}

/** The generated parts of the document by the name in their markers. */
export const protocolTables: ReadonlyMap<string, string> = new Map([
  [
    "requests",
    Object.entries(requests)
      .map(([type, row]) => requestSection(type, row))
      .join("\n\n"),
  ],
  [
    "notices",
    Object.entries(notices)
      .map(([type, row]) => noticeSection(type, row))
      .join("\n\n"),
  ],
  [
    "message frames",
    table(
      ["Code", "Frame", "From", "What it is"],
      Object.entries(messageFrames).map(([type, { code, sender, description }]) => [
        String(code),
        `\`${type}\``,
        sender === "server" ? "broker" : "client",
        description,
      ]),
    ),
  ],
  ...Object.entries(messageFrames).map(([type, row]): [string, string] => [
    `${type} in JSON`,
    fieldTable(row.fields),
  ]),
  [
    "message in JSON",
    fieldTable({
      ...jsonMessage,
      properties: { json: { type: "object", description: 'See "Properties".' }, optional: true },
    }),
  ],
  [
    "properties",
    table(
      ["Bit", "Property", "In binary", "In JSON", "Meaning"],
      Object.entries(envelopeFlags).map(([name, bit]) => {
        const { json } = jsonProperties[name as keyof typeof jsonProperties];
        const layout = propertyLayouts[name as keyof typeof envelopeFlags];
        return [String(bit), `\`${name}\``, layout, typeOf(json), String(json.description)];
      }),
    ),
  ],
  [
    "header values",
    table(
      ["Tag", "Kind", "After the tag", "In JSON"],
      Object.entries(headerTags).map(([kind, tag]) => [
        String(tag),
        kind,
        ...headerLayouts[kind as keyof typeof headerTags],
      ]),
    ),
  ],
  ["flags of publish", bits(publishFlags)],
  ["flags of deliver", bits(deliverFlags)],
  ["outcomes", bits(outcomeCodes)],
  ...Object.entries(argumentTables).map(([kind, fields]): [string, string] => [
    `arguments of ${kind}s`,
    argumentTable(fields),
  ]),
  [
    "arguments not built",
    Object.entries(notBuilt)
      .filter(([, names]) => names.length > 0)
      .map(([kind, names]) => `- of ${kind}s: ${names.map((name) => `\`${name}\``).join(", ")}`)
      .join("\n"),
  ],
  ["errors of requests", table(["Code", "Number", "AMQP", "Retry", "Meaning"], errorRows("request"))],
  [
    "errors that end a session",
    table(["Code", "Number", "Close code", "AMQP", "Retry", "Meaning"], errorRows("session")),
  ],
  ["errors of clients", table(["Code", "Number", "Retry", "Meaning"], errorRows("client"))],
  ["reserved frame types", [...reservedFrameTypes].map((type) => `\`${type}\``).join(", ")],
]);

const marked = /<!-- from the code: (.+?) -->\n\n(.*?)\n\n<!-- end -->/gs;

/** The generated parts that a document holds, by name. */
export function tablesIn(document: string): Map<string, string> {
  return new Map([...document.matchAll(marked)].map(([, name, text]) => [name!, text!]));
}

if (process.argv[1] === import.meta.filename) {
  const document = readFileSync(documentPath, "utf8");
  const written = document.replace(marked, (whole, name: string) => {
    const text = protocolTables.get(name);
    return text === undefined ? whole : `<!-- from the code: ${name} -->\n\n${text}\n\n<!-- end -->`;
  });
  writeFileSync(documentPath, written);
}
