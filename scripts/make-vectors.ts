/**
 * Writes `test/vectors/*.json` from the code: `npx tsx scripts/make-vectors.ts`.
 *
 * The vectors are what clients in other languages are held against, so what is there stays: entries may be added, but
 * the script refuses to change or remove any unless it is told `--overwrite`.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMessageFrames, writeMessageFrame } from "../protocol/binary-codec.ts";
import { ByteWriter } from "../protocol/byte-writer.ts";
import { type MessageFrame, requests } from "../protocol/frames.ts";
import { messageFrameToJson } from "../protocol/json-codec.ts";
import { controlVectors } from "./vector-control-frames.ts";
import { refusedMessages, toleratedMessages, vectorFrames } from "./vector-frames.ts";
import { errorVectors, schemaVectors, tableVector } from "./vector-tables.ts";

function encode(frame: MessageFrame): string {
  const writer = new ByteWriter();
  writeMessageFrame(writer, frame);
  return Buffer.from(writer.written()).toString("hex");
}

function packed(hex: string): string {
  return hex.replaceAll(" ", "");
}

const vectors: { readonly [file: string]: unknown } = {
  "frames.json": vectorFrames.map(([name, frame]) => ({
    name,
    json: messageFrameToJson(frame),
    binaryHex: encode(frame),
  })),
  "tolerated.json": toleratedMessages.map(([name, hex]) => ({
    name,
    json: decodeMessageFrames(Buffer.from(packed(hex), "hex")).map(messageFrameToJson),
    binaryHex: packed(hex),
  })),
  "refused.json": refusedMessages.map(([name, hex]) => ({ name, binaryHex: packed(hex) })),
  "control-frames.json": controlVectors,
  "errors.json": errorVectors,
  "table.json": tableVector,
  "schemas.json": schemaVectors,
};

/** Every leaf of a JSON value by its path. Items of lists go by their name, so that new ones may stand anywhere. */
function leaves(json: unknown, path: string, found = new Map<string, string>()): Map<string, string> {
  if (typeof json !== "object" || json === null) return found.set(path, JSON.stringify(json));
  if (Object.keys(json).length === 0) return found.set(path, JSON.stringify(json));
  for (const [key, value] of Object.entries(json)) {
    const { name, code } = (typeof value === "object" && value !== null ? value : {}) as Record<
      string,
      unknown
    >;
    const label = Array.isArray(json) ? (name ?? code ?? JSON.stringify(value)) : key;
    leaves(value, `${path} › ${String(label)}`, found);
  }
  return found;
}

/** A type that was reserved may become a request: that is what it was kept for. */
const keptPromises = new Set(
  Object.keys(requests).map((type) => `table.json › reservedFrameTypes › ${JSON.stringify(type)}`),
);

/** The entries of `before` that `after` has not, or has otherwise. */
function lost(before: unknown, after: unknown, file: string): string[] {
  const now = leaves(after, file);
  const gone = [...leaves(before, file)].filter(([path, value]) => now.get(path) !== value);
  return gone.map(([path]) => path).filter((path) => !keptPromises.has(path));
}

const folder = join(import.meta.dirname, "..", "test", "vectors");
const files = Object.entries(vectors).map(([file, content]) => {
  const path = join(folder, file);
  const text = `${JSON.stringify(content, undefined, 2)}\n`;
  const before = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  const losses = before === undefined ? [] : lost(JSON.parse(before), JSON.parse(text), file);
  return { file, path, text, changed: before !== text, losses };
});

const losses = files.flatMap((file) => file.losses);
if (losses.length > 0 && !process.argv.includes("--overwrite")) {
  console.error("These entries would change or go. Clients rely on them; --overwrite writes them anyway.");
  for (const path of losses) console.error(`  ${path}`);
  process.exitCode = 1;
} else {
  for (const { file, path, text, changed } of files) {
    if (changed) writeFileSync(path, text);
    console.log(`${file}: ${changed ? "written" : "unchanged"}`);
  }
}
