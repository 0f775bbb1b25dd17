import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LmdbStore } from "../../server/embedded/store/lmdb-store.ts";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import { embeddedHarness, type StoreUnderTest } from "../support/embedded-harness.ts";
import { engineContract } from "./engine-contract.ts";

engineContract("the embedded engine in memory", (options) =>
  embeddedHarness(inMemory(new MemoryStore()), options),
);

engineContract("the embedded engine on LMDB", async (options) => {
  const directory = await mkdtemp(join(tmpdir(), "posthorn-engine-"));
  return embeddedHarness(onDisk(directory), options);
});

function inMemory(store: MemoryStore): StoreUnderTest {
  return {
    store,
    async crash() {
      store.crash();
      return inMemory(store);
    },
    reopened: () => inMemory(store),
    async remove() {},
  };
}

function onDisk(directory: string): StoreUnderTest {
  const store = new LmdbStore({ directory });
  return {
    store,
    // Short of killing the process (see test/system/crash), a crash is a stop that was not noted.
    async crash() {
      await store.close({ clean: false });
      return onDisk(directory);
    },
    reopened: () => onDisk(directory),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
