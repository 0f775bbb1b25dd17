import type { PageFile, TreePage } from "./page-file.ts";

/** Pages that lie one after another. */
export interface PageRun {
  readonly first: number;
  readonly bytes: Buffer;
}

export interface WalkOptions {
  /** Pages that this transaction or an earlier one wrote are left out, with all below them: these are as old. */
  readonly since: number;
  /** Only what is under keys behind this one, and the pages that lead there. */
  readonly behind?: Buffer | undefined;
  readonly visit: (pages: PageRun) => void;
  /** Looked at after each entry; the walk then ends. */
  readonly isLate: () => boolean;
}

/**
 * Goes through the pages of a tree that were written after a transaction. What it reads must not be written over meanwhile:
 * the tree has to be one of a snapshot that is held.
 *
 * @returns the key behind which to go on, if it was late.
 */
export function walkChangedPages(file: PageFile, root: number, options: WalkOptions): Buffer | undefined {
  const page = file.tree(root);
  if (page.transaction <= options.since) return undefined;
  options.visit({ first: root, bytes: page.bytes });
  return page.isBranch ? walkBranch(file, page, options) : walkLeaf(file, page, options);
}

function walkBranch(file: PageFile, page: TreePage, options: WalkOptions): Buffer | undefined {
  const { behind } = options;
  const children = page.children();
  for (const [i, child] of children.entries()) {
    const next = children[i + 1];
    if (behind !== undefined && next !== undefined && Buffer.compare(next.key, behind) <= 0) continue;
    const goOn = walkChangedPages(file, child.page, options);
    if (goOn !== undefined) return goOn;
  }
  return undefined;
}

function walkLeaf(file: PageFile, page: TreePage, options: WalkOptions): Buffer | undefined {
  const { since, behind, visit, isLate } = options;
  for (const { key, own } of page.leafEntries()) {
    if (behind !== undefined && Buffer.compare(key, behind) <= 0) continue;
    if (own !== undefined && own.transaction > since)
      visit({ first: own.page, bytes: file.pages(own.page, own.count) });
    if (isLate()) return key;
  }
  return undefined;
}
