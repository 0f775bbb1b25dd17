import type { Posthorn } from "posthorn";

/** Ends this process in order when main.ts says so, and also when main.ts has died. */
export function leaveWhenTold(posthorn: Posthorn): void {
  async function leave(): Promise<void> {
    // Handlers at work finish, and what is published is confirmed, if the broker is still there to do so.
    await posthorn.close({ timeoutMs: 1000 }).catch(() => {});
    process.exit();
  }
  process.once("SIGTERM", () => void leave());
  process.once("disconnect", () => void leave());
}
