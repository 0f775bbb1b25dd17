import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Another commit of the project, with its own dependencies, built. */
export interface Checkout {
  readonly commit: string;
  readonly root: string;
  remove(): void;
}

/** @throws Error if there is no such commit, or it does not build. */
export function checkOut(repository: string, ref: string): Checkout {
  const git = (...args: string[]) => run("git", ["-C", repository, ...args], repository).trim();
  const commit = git("rev-parse", "--short", "--verify", "--end-of-options", `${ref}^{commit}`);
  const directory = mkdtempSync(join(tmpdir(), "posthorn-commit-"));
  const root = join(directory, commit);
  const remove = () => {
    try {
      git("worktree", "remove", "--force", root);
    } catch {
      // It was not added.
    }
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    git("worktree", "add", "--detach", root, commit);
    run("npm", ["ci", "--prefer-offline", "--no-audit", "--no-fund", "--silent"], root);
    run("npm", ["run", "--silent", "build"], root);
  } catch (error) {
    remove();
    throw error;
  }
  return { commit, root, remove };
}

/** The commit that is checked out, with a mark if files differ from it. */
export function currentCommit(repository: string): string {
  try {
    const commit = run("git", ["-C", repository, "rev-parse", "--short", "HEAD"], repository).trim();
    const changes = run("git", ["-C", repository, "status", "--porcelain"], repository);
    return changes === "" ? commit : `${commit} with changes`;
  } catch {
    return "unknown";
  }
}

function run(command: string, args: readonly string[], directory: string): string {
  return execFileSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
