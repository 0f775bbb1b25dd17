import { expect, test } from "vitest";
import { Problems } from "../../../server/embedded/store/lmdb/check/check-report.ts";
import { checkRecords, reservedKey } from "../../../server/embedded/store/lmdb/check/record-check.ts";

function checked(queues: { readonly [name: string]: object }) {
  const records = new Map<string, unknown>([[reservedKey, 1001]]);
  for (const [name, value] of Object.entries(queues))
    records.set(`queue/${name}`, { arguments: {}, ...value });
  return checkRecords(records, new Problems());
}

test("the lanes of a queue with priorities are its own", () => {
  const { queueNames, unusable, reservedQueueIds } = checked({
    jobs: { id: 1, lanes: { 1: 3, 255: 4 } },
    other: { id: 2 },
  });
  expect([...queueNames]).toEqual([
    [1, "jobs"],
    [3, "jobs"],
    [4, "jobs"],
    [2, "other"],
  ]);
  expect(unusable).toEqual([]);
  expect(reservedQueueIds).toBe(1001);
});

test.each([
  ["for a priority that there is not", { 256: 3 }],
  ["for what is no priority", { high: 3 }],
  ["that is no number", { 1: "3" }],
  ["that is the queue's first", { 1: 1 }],
  ["twice", { 1: 3, 2: 3 }],
  ["of another queue", { 1: 7 }],
])("a queue with a lane %s makes no sense", (_, lanes) => {
  expect(checked({ first: { id: 7 }, jobs: { id: 1, lanes } }).unusable).toEqual(["queue/jobs"]);
});
