import { expect, test, vi } from "vitest";
import { collectGarbage, usedMemoryBytes } from "../server/process-memory.ts";

const mib = 1024 * 1024;

test("memory in use grows with what is held, and shrinks when it is let go and collected", async () => {
  collectGarbage();
  const before = usedMemoryBytes();
  expect(before).toBeGreaterThan(mib);
  let held: Uint8Array[] = [];
  for (let i = 0; i < 64; i++) held.push(new Uint8Array(mib).fill(i));
  expect(usedMemoryBytes()).toBeGreaterThan(before + 60 * mib);
  expect(held.length).toBe(64);
  held = [];
  // Buffers are freed by a thread of V8's own, behind the collection that found them dead.
  await vi.waitFor(() => {
    collectGarbage();
    expect(usedMemoryBytes()).toBeLessThan(before + 20 * mib);
  });
});
