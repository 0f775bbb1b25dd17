import { join } from "node:path";
import { mountSmallDisk, type SmallDisk } from "../../support/small-disk.ts";
import { NotPossibleHere } from "./scenario.ts";

/** Does something on a disk of its own of a few MiB. */
export async function onSmallDisk<T>(
  mebibytes: number,
  use: (disk: SmallDisk, dataDir: string) => Promise<T>,
): Promise<T> {
  const disk = mountSmallDisk(mebibytes);
  if (typeof disk === "string") throw new NotPossibleHere(disk);
  try {
    return await use(disk, join(disk.directory, "data"));
  } finally {
    disk.remove();
  }
}
