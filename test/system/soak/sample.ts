import type { BrokerCounts } from "../../../server/index.ts";

/** How the broker is at one moment. */
export interface Sample extends BrokerCounts {
  /** Since its start. */
  readonly seconds: number;
  /** Anonymous memory: LMDB's map of its file does not count, as the system takes that back when it needs to. */
  readonly memoryBytes: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Of everything in its data directory. */
  readonly fileBytes: number;
  readonly openFiles: number;
  /** The longest turn of its event loop since the sample before, in milliseconds. */
  readonly longestTurnMs: number;
}
