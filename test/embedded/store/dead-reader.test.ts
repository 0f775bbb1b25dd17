import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Environment, Writes } from "../../../server/embedded/store/lmdb/environment.ts";

const environmentPath = new URL("../../../server/embedded/store/lmdb/environment.ts", import.meta.url)
  .pathname;

/** Holds a read transaction until it is killed. */
const readerCode = (path: string) => `
  import { writeSync } from "node:fs";
  import { Environment } from ${JSON.stringify(environmentPath)};
  const environment = new Environment(${JSON.stringify(path)}, { readOnly: true });
  [...environment.rows("messages", Buffer.from([0]), 1)];
  writeSync(1, "reading");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;

test("a backup that is killed does not keep the file from using its room again", async () => {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-reader-"));
  const path = join(directory, "store.mdb");
  const environment = new Environment(path, { readerCheckMs: 0 });
  let commit = 0;
  const rewrite = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const writes = new Writes();
      writes.put("messages", Buffer.alloc(8, 1), Buffer.alloc(200_000, i));
      await environment.commit(writes, { commit: ++commit, nextMessageId: 1, clean: false });
    }
    return statSync(path).size;
  };
  try {
    const before = await rewrite(10);
    const args = ["--import", "tsx", "--input-type=module", "--eval", readerCode(path)];
    const reader = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(reader.stdout, "data");
    expect(await rewrite(20)).toBeGreaterThan(before + 3_000_000);
    reader.kill("SIGKILL");
    await once(reader, "exit");
    const after = await rewrite(3);
    expect(await rewrite(50)).toBe(after);
  } finally {
    await environment.close();
    rmSync(directory, { recursive: true });
  }
}, 30_000);
