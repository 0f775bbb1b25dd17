import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as posthorn from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";

type Script = (sdk: typeof posthorn, console: object) => Promise<void>;

/** Runs the blocks in JavaScript of a guide one after the other, as one program. Returns what they print. */
async function run(guide: string, { atLeast }: { atLeast: number }): Promise<unknown[][]> {
  const text = readFileSync(new URL(`../../docs/guides/${guide}`, import.meta.url), "utf8");
  const snippets = [...text.matchAll(/```js\n(.*?)```/gs)].map((match) => match[1]);
  expect(snippets.length).toBeGreaterThanOrEqual(atLeast);
  const printed: unknown[][] = [];
  await withBroker(async ({ url }) => {
    const code = snippets
      .join("\n")
      .replace(/import (.*) from "posthorn";/, "const $1 = sdk;")
      .replaceAll("ws://127.0.0.1:5680", url);
    const print = (...values: unknown[]) => void printed.push(values);
    const AsyncFunction = (async () => {}).constructor as new (...parameters: string[]) => Script;
    await new AsyncFunction("sdk", "console", code)(posthorn, { log: print, error: print });
  });
  return printed;
}

test("the snippets of the client guide run one after the other", async () => {
  const printed = await run("client.md", { atLeast: 11 });
  expect(printed).toContainEqual(["no-route", "hello"]);
  expect(printed).toContainEqual(["order.germany.line", { id: 1, total: 12.5 }, false]);
  expect(printed).toContainEqual(["order.france.line", "plain text", false]);
  expect(printed).toContainEqual(["precondition-failed", expect.anything()]);
  expect(printed.at(-1)).toEqual(["closing → closed", "closed"]);
});

test("the snippets of the guide to policies run one after the other", async () => {
  expect(await run("policies.md", { atLeast: 6 })).toEqual([
    ["precondition-failed"],
    [[{ name: "ackTimeout", declared: 60_000, existing: 30_000 }]],
    [1],
    ["jobs"],
    [{ value: 45_000, from: "policy:jobs" }],
    [{ value: "failed-jobs", from: "policy:jobs" }],
    [{ value: false, from: "default" }],
    [["jobs 1", "no-message-lost 5"]],
  ]);
});

test("the snippets of the guide to routing run one after the other", async () => {
  const printed = await run("routing.md", { atLeast: 4 });
  expect(printed.slice(0, 3)).toEqual([[{ days: 3 }], ["a key that nobody knows"], [["german-late"]]]);
  // In no particular order.
  expect(printed.slice(3).toSorted()).toEqual([
    ["audit", "#", "matched", "The routing key fits the pattern."],
    ["germany", "order.germany.#", "matched", "The routing key fits the pattern."],
  ]);
});
