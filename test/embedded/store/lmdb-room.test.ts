import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LmdbStore } from "../../../server/embedded/store/lmdb-store.ts";
import { changes, entry, queueChanges, settled } from "../../contract/store-contract.ts";
import { mountSmallDisk } from "../../support/small-disk.ts";

const mib = 1024 * 1024;

function leftOn(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

function freeBytes(store: LmdbStore): number {
  const { diskBytes, reusableBytes } = store.room();
  return diskBytes + reusableBytes;
}

/** Commits of one message of 1 MiB each. */
async function fill(store: LmdbStore, first: number, last: number): Promise<void> {
  for (let id = first; id <= last; id++) {
    const envelope = new Uint8Array(mib).fill(id);
    const appended = [entry(id, id, { bytes: mib })];
    const counters = { nextSeq: id + 1, messages: 1, bytes: mib };
    await store.commit(
      changes({ messages: [{ id, envelope }], queues: [queueChanges(1, { appended, counters })] }),
    );
  }
}

test("room is what the disk has left, and what LMDB's file can use again", async ({ skip }) => {
  const disk = mountSmallDisk(64);
  if (typeof disk === "string") return skip(disk);
  const { directory } = disk;
  const store = new LmdbStore({ directory });
  try {
    await store.open();
    expect(store.capacityBytes()).toBe(64 * mib);
    await fill(store, 1, 40);
    const full = freeBytes(store);
    expect(full).toBeGreaterThan(leftOn(directory) - 1);
    expect(full).toBeLessThan(leftOn(directory) + mib);

    // A file that another program writes takes from it.
    writeFileSync(join(directory, "filler"), new Uint8Array(10 * mib));
    expect(freeBytes(store)).toBeLessThan(full - 9 * mib);
    rmSync(join(directory, "filler"));

    // The file keeps its length, and what has been settled is room again.
    for (let id = 1; id <= 40; id++) await store.commit(settled(1, id));
    expect(leftOn(directory)).toBeLessThan(full + mib);
    expect(freeBytes(store)).toBeGreaterThan(full + 35 * mib);

    // Truly so: as much goes in once more, and the file hardly grows.
    const before = leftOn(directory);
    await fill(store, 41, 76);
    expect(leftOn(directory)).toBeGreaterThan(before - 3 * mib);
    await store.close({ clean: true });
  } finally {
    disk.remove();
  }
});

test("of a file that is nearly full, free pages hardly count", async () => {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-room-"));
  const store = new LmdbStore({ directory });
  try {
    await store.open();
    await fill(store, 1, 40);
    const before = store.room().reusableBytes;
    for (let id = 10; id <= 40; id += 10) await store.commit(settled(1, id));
    // 4 MiB are free, a tenth of the file.
    const gained = store.room().reusableBytes - before;
    expect(gained).toBeGreaterThan(0.1 * mib);
    expect(gained).toBeLessThan(mib);
    await store.close({ clean: true });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a directory that has gone is no reason to stop", async () => {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-room-"));
  const store = new LmdbStore({ directory });
  await store.open();
  const before = freeBytes(store);
  rmSync(directory, { recursive: true });
  expect(freeBytes(store)).toBe(before);
  await store.close({ clean: false });
});
