import { totalmem } from "node:os";

/** What this process may use at most: the machine's memory, or the container's if that is less. */
export function memoryBytes(): number {
  // 0 or beyond any machine's where there is no limit.
  const allowed = process.constrainedMemory();
  return allowed > 0 ? Math.min(allowed, totalmem()) : totalmem();
}
