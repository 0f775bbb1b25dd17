import type { Bench } from "./bench.ts";
import { named } from "./message-text.ts";
import { bytesOf, givesWay, isTooMuch, type ModelItem, type ModelQueue, ready } from "./model-queue.ts";

/** Limits hold, and what gave way for that were the right messages, and no more of them than had to. */
export function judgeLimits(bench: Bench, queue: ModelQueue): void {
  const { name, moment } = queue;
  const { added, returned, taken, dropped, leftBy } = moment;
  const side = givesWay(queue);
  if (side === undefined) return;
  const left = ready(queue);
  const count = left.length;
  const bytes = bytesOf(left);
  const ends = dropped.map(named);
  // What comes back may bring a queue above its limits; whatever comes then has to go, or makes others go.
  const isTidy = side === "oldest" ? added.size === 0 : !left.some((item) => added.has(item));
  if (!isTidy && returned.size === 0)
    bench.expect(!isTooMuch(queue, count, bytes), `"${name}" has ${count} messages, ${bytes} bytes`);
  if (dropped.length === 0) return;
  bench.expect(added.size > 0, `"${name}" let ${ends} go though nothing had come`);
  if (side === "latest") {
    bench.expect(
      dropped.every((item) => added.has(item)),
      `"${name}" let ${ends} go, which were there before`,
    );
  }
  const wrong = left.find(
    (item) =>
      !returned.has(item) &&
      dropped.some((other) => leftBy.get(other)!.includes(item) && goesBefore(item, other, side)),
  );
  bench.expect(wrong === undefined, `"${name}" let ${ends} go before ${wrong && named(wrong)}`);
  // The last one to go had to: with it there was too much. Of groups some may have been handed out since.
  const last = side === "oldest" ? dropped.at(-1)! : dropped[0]!;
  const perhapsLast = dropped.filter((item) => item === last || Number.isNaN(item.place));
  const since = queue.arguments.messageGroups === undefined ? [] : [...taken];
  bench.expect(
    perhapsLast.some((item) => isTooMuch(queue, count + 1 + since.length, bytes + bytesOf([item, ...since]))),
    `"${name}" let ${ends} go, and has only ${count} messages, ${bytes} bytes`,
  );
}

/** Whether, of two whose order is certain, the one that is left has to give way before the one that is gone. */
function goesBefore(left: ModelItem, gone: ModelItem, side: "oldest" | "latest"): boolean {
  if (left.level !== gone.level) return side === "oldest" && left.level < gone.level;
  return side === "oldest" ? left.place < gone.place : left.place > gone.place;
}
