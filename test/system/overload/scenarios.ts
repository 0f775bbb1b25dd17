import { connectionStorm } from "./connection-storm.ts";
import { diskWatermark } from "./disk-watermark.ts";
import { fullDisk } from "./full-disk.ts";
import { memoryWatermark } from "./memory-watermark.ts";
import { nackLoop } from "./nack-loop.ts";
import type { Scenario } from "./scenario.ts";
import { slowReader } from "./slow-reader.ts";
import { strangers } from "./strangers.ts";

export const scenarios: readonly Scenario[] = [
  slowReader,
  nackLoop,
  connectionStorm,
  strangers,
  memoryWatermark,
  diskWatermark,
  fullDisk,
];
