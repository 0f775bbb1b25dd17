/**
 * Commits the plan without end, three commits at a time, and prints the number of each one that is flushed.
 *
 *     node --import tsx committing-child.ts DIRECTORY
 */
import { LmdbStore } from "../../../server/embedded/store/lmdb-store.ts";
import { commitOfPlan, commitsApplied } from "./commit-plan.ts";

const store = new LmdbStore({
  directory: process.argv[2]!,
  cacheBytes: 100_000,
  maintenance: { quietTicks: 3, smallRows: 8 },
});
const recovered = await store.open();
let next = commitsApplied(recovered) + 1;
process.stdout.write("open\n");

async function commit(): Promise<void> {
  for (;;) {
    const number = next++;
    await store.commit(commitOfPlan(number));
    process.stdout.write(`${number}\n`);
  }
}

async function maintain(): Promise<void> {
  for (;;) {
    await store.maintain();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

try {
  await Promise.all([commit(), commit(), commit(), maintain()]);
} catch (error) {
  process.stdout.write(`failed ${(error as { code?: string }).code}\n`);
  // Time for an unhandled rejection to show itself.
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.exit(3);
}
