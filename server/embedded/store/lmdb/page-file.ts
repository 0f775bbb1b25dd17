import { closeSync, openSync, readSync } from "node:fs";

/**
 * LMDB's file, page by page, as far as copying it needs. Its layout is that of the LMDB which lmdb-js 3.5 brings along
 * (`dependencies/lmdb/libraries/liblmdb/mdb.c`, from `MDB_page_header` on), on 64-bit little-endian machines. What matters
 * here: pages are never changed, only replaced by others, up to the root of their tree; and each says which transaction wrote it.
 */

/** Of a page: u64 number, u64 transaction, u16, u16 flags, u16 lower, u16 upper. */
const headerBytes = 24;
const branchFlag = 1;
const leafFlag = 2;
/** Of an entry: u16 and u16 length of the value, u16 flags, u16 length of the key. In a branch the first three are the child. */
const entryHeaderBytes = 8;
const hasOwnPages = 1;
const isTable = 2;
const magic = 0xbeefc0de;
const leastPageBytes = 256;
const mostPageBytes = 65_536;
/** The file begins with two descriptions of it, written in turn. */
const metaPages = 2;
const noRoot = 2n ** 64n - 1n;
/** Offsets in a page with a description. */
const metaOffset = { pageSize: 48, freeRoot: 88, mainRoot: 136, lastPage: 144, transaction: 152 };
const rootOfTable = 40;
/** Writing a description takes no time in which it could not be read whole the next time. */
const metaAttempts = 1000;

/** The file as one transaction has left it. */
export interface Meta {
  readonly transaction: number;
  readonly pageSize: number;
  /** How many pages the file has, with those that are free. */
  readonly pages: number;
  /** Undefined if it is empty. */
  readonly freeRoot: number | undefined;
  readonly mainRoot: number | undefined;
  /** The page that says so; see {@link metaPage}. */
  readonly bytes: Buffer;
}

export interface Child {
  readonly page: number;
  /** The children in front of this one have only keys below it. */
  readonly key: Buffer;
}

/** What an entry of a leaf leads to. */
export interface LeafEntry {
  readonly key: Buffer;
  /** Pages of its own, because it is long; and the transaction that wrote them. */
  readonly own?: { readonly page: number; readonly count: number; readonly transaction: number };
  /** The root of the table that has this name. */
  readonly tableRoot?: number;
}

/** A page of a tree. */
export class TreePage {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get transaction(): number {
    return Number(this.bytes.readBigUInt64LE(8));
  }

  get isBranch(): boolean {
    return (this.bytes.readUInt16LE(18) & branchFlag) !== 0;
  }

  children(): Child[] {
    return this.#entries().map((at) => ({
      page: this.bytes.readUInt32LE(at) + this.bytes.readUInt16LE(at + 4) * 2 ** 32,
      key: this.#keyAt(at),
    }));
  }

  leafEntries(): LeafEntry[] {
    const { bytes } = this;
    return this.#entries().map((at) => {
      const key = this.#keyAt(at);
      const flags = bytes.readUInt16LE(at + 4);
      const value = at + entryHeaderBytes + key.length;
      if (flags & hasOwnPages) {
        const [page, transaction, count] = [0, 8, 16].map((offset) =>
          Number(bytes.readBigUInt64LE(value + offset)),
        ) as [number, number, number];
        return { key, own: { page, transaction, count } };
      }
      const tableRoot = flags & isTable ? rootAt(bytes, value + rootOfTable) : undefined;
      return tableRoot === undefined ? { key } : { key, tableRoot };
    });
  }

  /** Where the entries begin. */
  #entries(): number[] {
    const count = this.bytes.readUInt16LE(20) / 2;
    return Array.from(
      { length: count },
      (_, i) => headerBytes + this.bytes.readUInt16LE(headerBytes + 2 * i),
    );
  }

  #keyAt(at: number): Buffer {
    const start = at + entryHeaderBytes;
    return this.bytes.subarray(start, start + this.bytes.readUInt16LE(at + 6));
  }
}

export class PageFile {
  readonly #path: string;
  readonly #file: number;
  #pageSize = mostPageBytes;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, "r");
    this.#pageSize = this.meta().pageSize;
  }

  /** The newest description of the file. */
  meta(): Meta {
    for (let attempt = 0; attempt < metaAttempts; attempt++) {
      const bytes = this.#readMetas();
      const pageSize = bytes.readUInt32LE(metaOffset.pageSize);
      if (pageSize < leastPageBytes || pageSize > mostPageBytes || !bytes.equals(this.#readMetas())) continue;
      const metas = [0, pageSize].map((at) => metaOf(bytes.subarray(at, at + pageSize), pageSize));
      const [first, second] = metas as [Meta | undefined, Meta | undefined];
      const newest = (second?.transaction ?? -1) > (first?.transaction ?? -1) ? second : first;
      if (newest !== undefined) return newest;
    }
    throw new Error(`${this.#path} does not begin as an LMDB file does`);
  }

  tree(page: number): TreePage {
    const bytes = this.pages(page, 1);
    const flags = bytes.readUInt16LE(18);
    if (Number(bytes.readBigUInt64LE(0)) !== page || (flags & (branchFlag | leafFlag)) === 0)
      throw new Error(`page ${page} of ${this.#path} is not in its tree`);
    return new TreePage(bytes);
  }

  pages(first: number, count: number): Buffer {
    const bytes = this.pagesThere(first, count);
    if (bytes.length < count * this.#pageSize) throw new Error(`${this.#path} ends too early`);
    return bytes;
  }

  /** There may be fewer: the last ones may be free, and never have been written. */
  pagesThere(first: number, count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count * this.#pageSize);
    return bytes.subarray(0, readSync(this.#file, bytes, 0, bytes.length, first * this.#pageSize));
  }

  close(): void {
    closeSync(this.#file);
  }

  #readMetas(): Buffer {
    const bytes = Buffer.alloc(metaPages * this.#pageSize);
    readSync(this.#file, bytes, 0, bytes.length, 0);
    // The first time more than the two are read, because how long they are is not known.
    return bytes.subarray(0, metaPages * bytes.readUInt32LE(metaOffset.pageSize));
  }
}

/** The description as it stands on page 0 or 1, written by another transaction. */
export function metaPage(bytes: Buffer, page: number, transaction: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeBigUInt64LE(BigInt(page), 0);
  copy.writeBigUInt64LE(BigInt(Math.max(0, transaction)), metaOffset.transaction);
  return copy;
}

function metaOf(bytes: Buffer, pageSize: number): Meta | undefined {
  if (bytes.readUInt32LE(headerBytes) !== magic) return undefined;
  return {
    transaction: Number(bytes.readBigUInt64LE(metaOffset.transaction)),
    pageSize,
    pages: Number(bytes.readBigUInt64LE(metaOffset.lastPage)) + 1,
    freeRoot: rootAt(bytes, metaOffset.freeRoot),
    mainRoot: rootAt(bytes, metaOffset.mainRoot),
    bytes,
  };
}

function rootAt(bytes: Buffer, at: number): number | undefined {
  const root = bytes.readBigUInt64LE(at);
  return root === noRoot ? undefined : Number(root);
}
