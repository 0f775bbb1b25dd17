import { PosthornError } from "../../../client/index.ts";

/** The broker was killed: what was under way fails with this and nothing else. */
export function expectGone(error: unknown): void {
  if (!(error instanceof PosthornError) || error.code !== "connection-closed") throw error;
}
