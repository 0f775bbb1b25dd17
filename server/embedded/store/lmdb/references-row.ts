import { isIntact, seal } from "./checksum.ts";

/**
 * A row of `refs`: what has become of a row of messages since it was written, and whatever else has to be known of it to
 * settle more, so that its envelopes need not be read for that. Numbers are little-endian:
 *
 *      0  u32  checksum                    16  u32  length of every envelope, if they are all the same
 *      4  u32  count                       20       id - first id       (absent if ids rise by one)
 *      8  u32  length of the row itself             references left
 *     12  u8   width of each column, 0, 1,          length of the envelope (absent if they are all the same)
 *         ×3   2 or 4 bytes; u8 nothing
 */
const headerBytes = 20;

/** What the row says of a row of messages. */
export interface ReferencesRow {
  /** Undefined if ids rise by one. */
  readonly idDeltas: Uint32Array | undefined;
  readonly remaining: Uint32Array;
  /** Bytes of the envelopes; one number if they are all the same. */
  readonly lengths: Uint32Array | number;
  /** Length of the row of messages. */
  readonly rowBytes: number;
}

export function encodeReferences(row: ReferencesRow, firstId: number): Uint8Array {
  const { idDeltas, remaining, rowBytes } = row;
  const lengths = typeof row.lengths === "number" ? undefined : row.lengths;
  const columns = [idDeltas, remaining, lengths];
  const widths = columns.map((column) => (column === undefined ? 0 : widthOf(column)));
  const count = remaining.length;
  const bytes = Buffer.allocUnsafe(headerBytes + count * widths.reduce((sum, width) => sum + width));
  bytes.writeUInt32LE(count, 4);
  bytes.writeUInt32LE(rowBytes, 8);
  bytes[15] = 0;
  bytes.writeUInt32LE(typeof row.lengths === "number" ? row.lengths : 0, 16);
  let at = headerBytes;
  for (const [i, column] of columns.entries()) {
    const width = widths[i]!;
    bytes[12 + i] = width;
    if (column !== undefined) writeColumn(bytes, at, column, width);
    at += width * count;
  }
  return seal(bytes, firstId);
}

/** @returns undefined if the row is damaged. */
export function decodeReferences(row: Uint8Array, firstId: number): ReferencesRow | undefined {
  if (row.length < headerBytes || !isIntact(row, firstId)) return undefined;
  const view = new DataView(row.buffer, row.byteOffset, row.length);
  const count = view.getUint32(4, true);
  let at = headerBytes;
  const column = (width: number) => {
    const numbers = readColumn(view, at, width, count);
    at += width * count;
    return numbers;
  };
  const [idWidth, remainingWidth, lengthWidth] = [row[12]!, row[13]!, row[14]!];
  const idDeltas = idWidth === 0 ? undefined : column(idWidth);
  const remaining = column(remainingWidth);
  const lengths = lengthWidth === 0 ? view.getUint32(16, true) : column(lengthWidth);
  return { idDeltas, remaining, lengths, rowBytes: view.getUint32(8, true) };
}

function widthOf(numbers: Uint32Array): number {
  let most = 0;
  for (let i = 0; i < numbers.length; i++) if (numbers[i]! > most) most = numbers[i]!;
  return most < 0x100 ? 1 : most < 0x1_0000 ? 2 : 4;
}

function writeColumn(bytes: Buffer, at: number, numbers: Uint32Array, width: number): void {
  if (width === 1) bytes.set(numbers, at);
  else if (width === 2) for (let i = 0; i < numbers.length; i++) bytes.writeUInt16LE(numbers[i]!, at + 2 * i);
  else for (let i = 0; i < numbers.length; i++) bytes.writeUInt32LE(numbers[i]!, at + 4 * i);
}

function readColumn(view: DataView, from: number, width: number, count: number): Uint32Array {
  const numbers = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const at = from + width * i;
    numbers[i] =
      width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  }
  return numbers;
}
