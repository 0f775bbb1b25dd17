import { connectionStorm } from "./connection-storm.ts";
import { diskWatermark } from "./disk-watermark.ts";
import { fullDisk } from "./full-disk.ts";
import { memoryWatermark } from "./memory-watermark.ts";
import { nackLoop } from "./nack-loop.ts";
import type { Scenario } from "./scenario.ts";
import { slowReader } from "./slow-reader.ts";

export const scenarios: readonly Scenario[] = [
  slowReader,
  nackLoop,
  connectionStorm,
  memoryWatermark,
  diskWatermark,
  fullDisk,
];
