import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RootDatabaseOptionsWithPath } from "lmdb";
import { expect, test, vi } from "vitest";
import { LmdbStore } from "../../../server/embedded/store/lmdb-store.ts";
import { everything, published, seqs } from "../../contract/store-contract.ts";

const opened = vi.hoisted(() => [] as object[]);

vi.mock("lmdb", async (importOriginal) => {
  const lmdb = await importOriginal<typeof import("lmdb")>();
  const open = (options: RootDatabaseOptionsWithPath) => {
    const root = lmdb.open(options);
    opened.push(root);
    return root;
  };
  return { ...lmdb, open };
});

test("a commit of which LMDB only says that it is done, as it may when the disk fails, is not confirmed", async () => {
  const directory = await mkdtemp(join(tmpdir(), "posthorn-store-"));
  try {
    const store = new LmdbStore({ directory });
    await store.open();
    await store.commit(published(1, 1, 3));
    // The class of all tables of this store.
    const tables = Object.getPrototypeOf(opened.at(-1)) as { ifVersion: unknown };
    tables.ifVersion = () => Promise.resolve(true);
    await expect(store.commit(published(1, 4, 5))).rejects.toMatchObject({ code: "io" });
    await expect(store.commit(published(1, 6, 7))).rejects.toMatchObject({ code: "io" });
    await store.close({ clean: true });
    const again = new LmdbStore({ directory });
    await again.open();
    expect(seqs(everything(again, 1))).toEqual([1, 2, 3]);
    await again.close({ clean: true });
  } finally {
    await rm(directory, { recursive: true });
  }
});
