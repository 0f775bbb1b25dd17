import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** Runs `npm run example:NAME` without the build, and returns the lines that it writes. */
export async function runExample(name: string): Promise<string[]> {
  const args = ["--import", "tsx", `examples/${name}/main.ts`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: repository });
  return stdout.trimEnd().split("\n");
}
