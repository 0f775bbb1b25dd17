import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeMessageFrames, writeMessageFrame } from "../../protocol/binary-codec.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { messageFrames } from "../../protocol/frames.ts";
import { type JsonFrame, messageFrameFromJson, messageFrameToJson } from "../../protocol/json-codec.ts";
import { documentPath, protocolTables, tablesIn } from "../../scripts/protocol-tables.ts";
import { frameValidators, replyValidators } from "./frame-validators.ts";

const text = readFileSync(documentPath, "utf8");

/** The fenced blocks with this word behind the fence, by what follows it. */
function blocks(kind: string): [label: string, content: string][] {
  const fence = new RegExp(`^\`\`\`${kind}(?: frame=(\\S+))?\\n(.*?)^\`\`\`$`, "gms");
  return [...text.matchAll(fence)].map(([, label = "", content]) => [label, content!]);
}

/** The bytes of a hex block: on each line pairs of digits, at most two spaces apart, then the remark. */
function bytesOf(block: string): Uint8Array {
  const lines = block.trimEnd().split("\n");
  const hex = lines.map((line) => /^[0-9a-f]{2}(?: {1,2}[0-9a-f]{2}(?![^ ]))*/.exec(line)![0]);
  return Uint8Array.from(Buffer.from(hex.join("").replaceAll(" ", ""), "hex"));
}

describe("docs/protocol.md", () => {
  test.each([...protocolTables])(
    "shows the %s as the code has them (npx tsx scripts/protocol-tables.ts)",
    (name, table) => {
      expect(tablesIn(text).get(name)).toBe(table);
    },
  );

  test("has no table that the code does not know", () => {
    expect([...tablesIn(text).keys()].sort()).toEqual([...protocolTables.keys()].sort());
  });

  test("links to headings and files that are there", () => {
    const slugs = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\- ]/gu, "")
        .replaceAll(" ", "-"),
    );
    const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!);
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) {
      if (link.startsWith("#")) expect(slugs).toContain(link.slice(1));
      else expect(existsSync(join(dirname(documentPath), link)), link).toBe(true);
    }
  });
});

describe("the bytes in docs/protocol.md", () => {
  const hex = blocks("hex");
  const json = new Map(blocks("json"));

  test("are there for every message frame, each with its JSON", () => {
    expect(hex.map(([label]) => label)).toEqual([...json.keys()]);
    const types = hex.flatMap(([, block]) => decodeMessageFrames(bytesOf(block)).map(({ type }) => type));
    expect(new Set(types)).toEqual(new Set(Object.keys(messageFrames)));
  });

  test.each(hex)("of %s read as the JSON, which is written as the bytes", (label, block) => {
    const parsed = JSON.parse(json.get(label)!) as JsonFrame | JsonFrame[];
    const expected = Array.isArray(parsed) ? parsed : [parsed as JsonFrame];
    const bytes = bytesOf(block);
    expect(
      decodeMessageFrames(bytes).map((frame) => JSON.parse(JSON.stringify(messageFrameToJson(frame)))),
    ).toEqual(expected);
    const writer = new ByteWriter();
    for (const frame of expected) writeMessageFrame(writer, messageFrameFromJson(frame));
    expect(Buffer.from(writer.written()).toString("hex")).toBe(Buffer.from(bytes).toString("hex"));
  });
});

describe("the session in docs/protocol.md", () => {
  const sessions = blocks("session").map(([, block]) =>
    block
      .trimEnd()
      .split("\n")
      .map((line) => ({
        line,
        from: line[0],
        frame: JSON.parse(line.slice(2)) as JsonFrame & { id?: number },
      })),
  );
  const lines = sessions.flat();

  test("shows both sides", () => {
    expect(new Set(lines.map(({ from }) => from))).toEqual(new Set([">", "<"]));
  });

  test.each(lines)("$line", ({ from, frame }) => {
    const isAnswer = from === "<" && (frame.type === "ok" || frame.type === "welcome");
    const request = lines.find((line) => line.from === ">" && line.frame.id === frame.id)?.frame.type;
    const validate = isAnswer ? replyValidators.get(request!) : frameValidators.get(frame.type);
    expect(validate?.(frame), JSON.stringify(validate?.errors)).toBe(true);
    if (frame.type in messageFrames) expect(() => messageFrameFromJson(frame)).not.toThrow();
  });

  test("answers every request once", () => {
    const ids = (side: string) =>
      lines.flatMap(({ from, frame }) => (from === side && frame.id !== undefined ? [frame.id] : []));
    expect(ids("<").sort()).toEqual(ids(">").sort());
  });
});
