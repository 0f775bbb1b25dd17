import { expect, test } from "vitest";
import { MemoryStore } from "../../../server/embedded/store/memory-store.ts";
import { entryFlags } from "../../../server/embedded/store/store.ts";
import { everything, published, seqs, settled } from "../../contract/store-contract.ts";

async function openStore(): Promise<MemoryStore> {
  const store = new MemoryStore({ manualFlush: true });
  await store.open();
  return store;
}

test("with manual flush a commit is under way until it is flushed, and commits are flushed in order", async () => {
  const store = await openStore();
  const done: number[] = [];
  for (const id of [1, 2, 3]) void store.commit(published(1, id, id)).then(() => done.push(id));
  await Promise.resolve();
  expect(store.pendingCommits).toBe(3);
  expect(everything(store, 1)).toEqual([]);
  store.flush(2);
  await Promise.resolve();
  expect(done).toEqual([1, 2]);
  expect(store.pendingCommits).toBe(1);
  expect(seqs(everything(store, 1))).toEqual([1, 2]);
  store.flush();
  await Promise.resolve();
  expect(done).toEqual([1, 2, 3]);
  expect(seqs(everything(store, 1))).toEqual([1, 2, 3]);
});

test("a crash loses what is not flushed and transient entries, and is not a clean stop", async () => {
  const store = await openStore();
  void store.commit(published(1, 1, 4));
  void store.commit(published(2, 5, 6, { flags: entryFlags.transient }));
  void store.commit(settled(1, 1));
  store.flush();
  void store.commit(settled(1, 2, 3));
  void store.commit(published(1, 7, 9));
  void store.commit(settled(1, 8));
  expect(seqs(everything(store, 1))).toEqual([4]);
  store.crash();
  const recovered = await store.open();
  expect(recovered.clean).toBe(false);
  expect(recovered.nextMessageId).toBe(7);
  expect(store.pendingCommits).toBe(0);
  expect(seqs(everything(store, 1))).toEqual([2, 3, 4]);
  expect(everything(store, 2)).toEqual([]);
  void store.commit(published(1, 7, 9));
  store.flush();
  expect(seqs(everything(store, 1))).toEqual([2, 3, 4, 7, 8, 9]);
});

test("closing waits for the flush", async () => {
  const store = await openStore();
  void store.commit(published(1, 1, 1));
  let isClosed = false;
  const closed = store.close({ clean: true }).then(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  store.flush();
  await closed;
  expect((await store.open()).clean).toBe(true);
  expect(seqs(everything(store, 1))).toEqual([1]);
});
