import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LmdbStore } from "../../server/embedded/store/lmdb-store.ts";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import { storeContract } from "./store-contract.ts";

storeContract("the memory store", async () => {
  const store = new MemoryStore();
  return { store: () => store, remove: async () => {} };
});

// How much a window holds depends on how long it took; some of these tests are about its other bounds.
const longReadMs = Number.POSITIVE_INFINITY;

storeContract("the LMDB store", async () => {
  const directory = await mkdtemp(join(tmpdir(), "posthorn-store-"));
  return {
    store: () => new LmdbStore({ directory, longReadMs }),
    remove: () => rm(directory, { recursive: true }),
  };
});

// Whatever is not pinned by a commit under way is read from disk every time, and background work sets in at once.
storeContract("the LMDB store without a cache", async () => {
  const directory = await mkdtemp(join(tmpdir(), "posthorn-store-"));
  return {
    store: () =>
      new LmdbStore({
        directory,
        longReadMs,
        cacheBytes: 0,
        maintenance: { quietTicks: 0, smallRows: 2, slackBytes: 0 },
      }),
    remove: () => rm(directory, { recursive: true }),
  };
});
