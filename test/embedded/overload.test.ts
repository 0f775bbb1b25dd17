import { expect, test } from "vitest";
import { Overload, type OverloadOptions } from "../../server/embedded/overload.ts";
import type { Blocked } from "../../server/engine/engine.ts";

const kiB = 1024;

/** Watermarks over a disk and a memory that the test sets, and a clock that it moves on. */
class World {
  freeBytes = 1000 * kiB;
  reusableBytes = 0;
  usedBytes = 0;
  /** Of what is used, what a collection gives back. */
  garbageBytes = 0;
  collections = 0;
  unflushedBytes = 0;
  looksAtDisk = 0;
  readonly changes: (Blocked["code"] | "none")[] = [];
  readonly overload: Overload;
  #due: (() => void)[] = [];

  constructor(limits: Partial<OverloadOptions>, capacityBytes = 100_000 * kiB) {
    this.overload = new Overload({
      minFreeDiskBytes: 0,
      maxMemoryBytes: 0,
      usedMemoryBytes: () => this.usedBytes,
      collectGarbage: () => {
        this.collections++;
        this.usedBytes -= this.garbageBytes;
        this.garbageBytes = 0;
      },
      unflushedBytes: () => this.unflushedBytes,
      store: {
        room: () => {
          this.looksAtDisk++;
          return { diskBytes: this.freeBytes, reusableBytes: this.reusableBytes };
        },
        capacityBytes: () => capacityBytes,
      },
      delay: (delayMs, callback) => {
        expect(delayMs).toBe(1000);
        this.#due.push(callback);
      },
      ...limits,
    });
    this.overload.onChange((blocked) => this.changes.push(blocked?.code ?? "none"));
    this.overload.start();
  }

  get code(): string | undefined {
    return this.overload.blocked?.code;
  }

  /** Looks that are to come. */
  get due(): number {
    return this.#due.length;
  }

  /** Publishes a message that has to be written. Returns why it is refused. */
  publish(bytes: number): string | undefined {
    const { overload } = this;
    const refusal =
      overload.blocked ?? (bytes > overload.allowanceBytes ? overload.refusalOf(bytes) : undefined);
    if (refusal === undefined) overload.accepted(bytes);
    return refusal?.message;
  }

  second(): void {
    for (const callback of this.#due.splice(0)) callback();
  }
}

test("publishing stops below the mark, and goes on only with half as much again", () => {
  const world = new World({ minFreeDiskBytes: 100 * kiB });
  world.freeBytes = 100 * kiB;
  world.second();
  expect(world.code).toBeUndefined();
  world.freeBytes = 99 * kiB;
  world.second();
  expect(world.overload.blocked).toEqual({
    code: "disk-full",
    message: "The broker's disk has only 0.1 MiB left; 0.1 MiB are kept free.",
  });
  world.freeBytes = 149 * kiB;
  world.second();
  expect(world.code).toBe("disk-full");
  world.freeBytes = 150 * kiB;
  world.second();
  expect(world.code).toBeUndefined();
});

test("room that goes up and down around the mark changes nothing", () => {
  const world = new World({ minFreeDiskBytes: 100 * kiB });
  for (const free of [99, 101, 99, 140, 80, 120]) {
    world.freeBytes = free * kiB;
    world.second();
  }
  expect(world.changes).toEqual(["disk-full"]);
});

test("between two seconds it looks when a quarter of the reserve has been written", () => {
  const world = new World({ minFreeDiskBytes: 100 * kiB });
  const before = world.looksAtDisk;
  expect(world.publish(25 * kiB)).toBeUndefined();
  expect(world.looksAtDisk).toBe(before);
  world.freeBytes = 50 * kiB;
  expect(world.publish(1)).toMatch(/are kept free/);
  expect(world.code).toBe("disk-full");
});

test("near the mark it looks when half of the way to it has been written", () => {
  const world = new World({ minFreeDiskBytes: 100 * kiB });
  world.freeBytes = 120 * kiB;
  world.second();
  const before = world.looksAtDisk;
  world.publish(10 * kiB);
  expect(world.looksAtDisk).toBe(before);
  expect(world.publish(1)).toBeUndefined();
  expect(world.looksAtDisk).toBeGreaterThan(before);
});

test("a message that would eat up more than half of the reserve is refused, alone", () => {
  const world = new World({ minFreeDiskBytes: 100 * kiB });
  world.freeBytes = 130 * kiB;
  world.second();
  expect(world.publish(81 * kiB)).toBe(
    "The broker's disk has only 0.1 MiB left: too little for a message of 0.1 MiB.",
  );
  expect(world.publish(10 * kiB)).toBeUndefined();
  expect(world.changes).toEqual([]);
  expect(world.publish(80 * kiB)).toBeUndefined();
  world.unflushedBytes = 90 * kiB;
  // After one like that, the next looks.
  expect(world.publish(1)).toMatch(/are kept free/);
});

test("when the disk itself is short, what the store can use again counts only if it is plenty", () => {
  const world = new World({ minFreeDiskBytes: 100 * kiB });
  world.freeBytes = 49 * kiB;
  world.reusableBytes = 399 * kiB;
  world.second();
  expect(world.code).toBe("disk-full");
  world.freeBytes = 50 * kiB;
  world.second();
  expect(world.code).toBeUndefined();
  world.freeBytes = 10 * kiB;
  world.reusableBytes = 400 * kiB;
  world.second();
  expect(world.code).toBeUndefined();
  // One that is large has to find place at once.
  expect(world.publish(50 * kiB)).toMatch(/too little for a message/);
  world.reusableBytes = 600 * kiB;
  expect(world.publish(50 * kiB)).toBeUndefined();
});

test("nothing but the second lets publishing go on, so it stops for a second at least", () => {
  const world = new World({ minFreeDiskBytes: 100 * kiB });
  world.freeBytes = 50 * kiB;
  world.second();
  world.freeBytes = 1000 * kiB;
  expect(world.publish(1)).toBeDefined();
  expect(world.code).toBe("disk-full");
  world.second();
  expect(world.code).toBeUndefined();
});

test("what is accepted and not on disk yet counts as written", () => {
  const world = new World({ minFreeDiskBytes: 100 * kiB });
  world.freeBytes = 200 * kiB;
  world.unflushedBytes = 101 * kiB;
  world.second();
  expect(world.code).toBe("disk-full");
});

test("on a small disk no more than a tenth is kept free, or 4 MiB", () => {
  for (const [capacityMiB, reserveMiB] of [
    [1000, 100],
    [50, 5],
    [20, 4],
  ] as const) {
    const world = new World({ minFreeDiskBytes: 500 * 1024 * kiB }, capacityMiB * 1024 * kiB);
    world.freeBytes = 2 * reserveMiB * 1024 * kiB;
    world.second();
    world.freeBytes = reserveMiB * 1024 * kiB;
    world.second();
    expect(world.code).toBeUndefined();
    world.freeBytes--;
    world.second();
    expect(world.code).toBe("disk-full");
  }
});

test("memory stops publishing above its mark, and lets it go on at 85 % of it", () => {
  const world = new World({ maxMemoryBytes: 1000 * kiB });
  for (const used of [1000, 1001, 999, 851, 850]) {
    world.usedBytes = used * kiB;
    world.second();
  }
  expect(world.changes).toEqual(["memory-high", "none"]);
});

test("garbage is collected before memory stops publishing", () => {
  const world = new World({ maxMemoryBytes: 1000 * kiB });
  world.usedBytes = 1500 * kiB;
  world.garbageBytes = 600 * kiB;
  world.second();
  expect(world.changes).toEqual([]);
  expect(world.collections).toBe(1);
});

test("while memory is high garbage is collected every five seconds", () => {
  const world = new World({ maxMemoryBytes: 1000 * kiB });
  world.usedBytes = 1500 * kiB;
  world.second();
  expect(world.changes).toEqual(["memory-high"]);
  world.garbageBytes = 1000 * kiB;
  for (let second = 1; second <= 4; second++) world.second();
  expect(world.collections).toBe(1);
  world.second();
  expect(world.collections).toBe(2);
  expect(world.changes).toEqual(["memory-high", "none"]);
});

test("memory is named before disk, and disk when memory is well again", () => {
  const world = new World({ maxMemoryBytes: 1000 * kiB, minFreeDiskBytes: 100 * kiB });
  world.freeBytes = 10 * kiB;
  world.second();
  world.usedBytes = 2000 * kiB;
  world.second();
  world.usedBytes = 0;
  world.second();
  world.freeBytes = 1000 * kiB;
  world.second();
  expect(world.changes).toEqual(["disk-full", "memory-high", "disk-full", "none"]);
});

test("what is switched off is not looked at", () => {
  const world = new World({});
  world.freeBytes = 0;
  world.usedBytes = Number.POSITIVE_INFINITY;
  expect(world.publish(1000 * kiB)).toBeUndefined();
  expect(world.due).toBe(0);
  expect(world.looksAtDisk).toBe(0);
  expect(world.code).toBeUndefined();
});

test("nothing is looked at after the end", () => {
  const world = new World({ minFreeDiskBytes: 100 * kiB });
  world.overload.stop();
  const before = world.looksAtDisk;
  world.second();
  world.publish(10_000 * kiB);
  expect(world.looksAtDisk).toBe(before);
  expect(world.due).toBe(0);
});
