import { type FileHandle, open } from "node:fs/promises";
import { type PageRun, walkChangedPages } from "./changed-pages.ts";
import type { Environment } from "./environment.ts";
import { type Meta, metaPage, PageFile } from "./page-file.ts";

export interface SnapshotCopyOptions {
  /** A snapshot is given up after so long, and what changed since is gone after in another one. Default: 5 ms. */
  readonly longHoldMs?: number;
  /** When no more than so much has changed during a round, the next one is done in one go, and is the last. Default: 4 MiB. */
  readonly lastRoundBytes?: number;
}

const defaultLongHoldMs = 5;
const defaultLastRoundBytes = 4 * 1024 * 1024;
/** On a disk that hardly keeps up with the broker the rounds do not get shorter; then the last one is longer. */
const maxRounds = 10;
const bytesAtATime = 1024 * 1024;

/**
 * Copies LMDB's file as it is after one transaction, while others go on, and never holds a snapshot for long: a read
 * transaction of a second, in which nothing that is freed is used again, is what LMDB stands least.
 *
 * The whole file is copied first, without any snapshot, so that the copy is of no moment. But pages are never changed, only
 * replaced, up to the root, and say which transaction wrote them. So every page of a later tree that is not newer than the
 * beginning of copying has been copied right, and those that are newer are found from the root: a page that is not newer has
 * nothing newer below. Rounds of copying what is newer than the beginning of the round before get shorter, as there is less
 * each time; within a round the tables are gone through in the order of keys, a few milliseconds in a snapshot each time. Only
 * the last round, together with the page that describes the file, is of one snapshot.
 */
export async function copySnapshot(
  environment: Environment,
  path: string,
  copyPath: string,
  { longHoldMs = defaultLongHoldMs, lastRoundBytes = defaultLastRoundBytes }: SnapshotCopyOptions = {},
): Promise<void> {
  const file = new PageFile(path);
  let copy: FileHandle | undefined;
  try {
    copy = await open(copyPath, "wx");
    const begun = file.meta();
    await copyAll(file, begun, copy);
    let since = begun.transaction;
    for (let round = 1; round <= maxRounds; round++) {
      const changed = new Round(file, since);
      let bytes = 0;
      for (let isDone = false; !isDone; ) {
        const step = environment.holding(() => changed.step(longHoldMs));
        isDone = step.isDone;
        for (const pages of step.pages) bytes += await write(copy, pages, begun.pageSize);
      }
      since = changed.begunWith;
      if (bytes <= lastRoundBytes) break;
    }
    const { meta, pages } = environment.holding(() => everythingSince(file, since, begun.transaction));
    for (const run of pages) await write(copy, run, meta.pageSize);
    await writeMetas(copy, meta);
    await copy.truncate(meta.pages * meta.pageSize);
  } finally {
    file.close();
    await copy?.close();
  }
}

async function copyAll(file: PageFile, { pages, pageSize }: Meta, copy: FileHandle): Promise<void> {
  const atATime = Math.max(1, Math.floor(bytesAtATime / pageSize));
  for (let first = 0; first < pages; first += atATime) {
    const count = Math.min(atATime, pages - first);
    await write(copy, { first, bytes: file.pagesThere(first, count) }, pageSize);
  }
}

/** One time through all tables, in as many snapshots as it takes. */
class Round {
  readonly #file: PageFile;
  readonly #since: number;
  /** The last transaction when the round began. */
  #begunWith: number | undefined;
  #position: { readonly table: Buffer; readonly behind: Buffer } | undefined;

  constructor(file: PageFile, since: number) {
    this.#file = file;
    this.#since = since;
  }

  get begunWith(): number {
    return this.#begunWith ?? this.#since;
  }

  /** What has changed, as far as it takes no longer than that. Needs a snapshot that is held. */
  step(longHoldMs: number): { readonly pages: readonly PageRun[]; readonly isDone: boolean } {
    const endMs = performance.now() + longHoldMs;
    const meta = this.#file.meta();
    this.#begunWith ??= meta.transaction;
    const pages: PageRun[] = [];
    for (const { name, root } of tablesOf(this.#file, meta)) {
      const order = this.#position === undefined ? 1 : Buffer.compare(name, this.#position.table);
      if (order < 0) continue;
      const goOn = walkChangedPages(this.#file, root, {
        since: this.#since,
        behind: order === 0 ? this.#position?.behind : undefined,
        visit: (run) => pages.push(run),
        isLate: () => performance.now() >= endMs,
      });
      if (goOn === undefined) continue;
      this.#position = { table: name, behind: goOn };
      return { pages, isDone: false };
    }
    return { pages, isDone: true };
  }
}

interface StoredTable {
  readonly name: Buffer;
  readonly root: number;
}

/** The tables that are not empty, by name. */
function tablesOf(file: PageFile, { mainRoot }: Meta): StoredTable[] {
  const tables: StoredTable[] = [];
  const collect = (page: number) => {
    const tree = file.tree(page);
    if (tree.isBranch) for (const child of tree.children()) collect(child.page);
    else
      for (const { key, tableRoot } of tree.leafEntries())
        if (tableRoot !== undefined) tables.push({ name: key, root: tableRoot });
  };
  if (mainRoot !== undefined) collect(mainRoot);
  return tables;
}

/**
 * What is newer than that in tables, and newer than when copying began in the tree of their names and in that of free pages.
 * Needs a snapshot that is held.
 */
function everythingSince(file: PageFile, since: number, begun: number): { meta: Meta; pages: PageRun[] } {
  const meta = file.meta();
  const pages: PageRun[] = [];
  const visit = (run: PageRun) => void pages.push(run);
  const isLate = () => false;
  for (const root of [meta.freeRoot, meta.mainRoot])
    if (root !== undefined) walkChangedPages(file, root, { since: begun, visit, isLate });
  for (const { root } of tablesOf(file, meta)) walkChangedPages(file, root, { since, visit, isLate });
  return { meta, pages };
}

/** Both descriptions say the same, the second one as if a transaction before had. */
async function writeMetas(copy: FileHandle, { transaction, bytes, pageSize }: Meta): Promise<void> {
  for (const page of [0, 1]) {
    const isNewest = (transaction & 1) === page;
    await write(
      copy,
      { first: page, bytes: metaPage(bytes, page, transaction - (isNewest ? 0 : 1)) },
      pageSize,
    );
  }
}

async function write(copy: FileHandle, { first, bytes }: PageRun, pageSize: number): Promise<number> {
  await copy.write(bytes, 0, bytes.length, first * pageSize);
  return bytes.length;
}
