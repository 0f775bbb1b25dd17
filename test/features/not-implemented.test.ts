import { expect, test } from "vitest";
import { reservedFrameTypes } from "../../protocol/index.ts";
import { notBuilt } from "../../server/broker/not-built.ts";
import { withBroker } from "../support/broker.ts";

/** What comes in a later version is refused, never silently ignored: nobody must rely on what is not there. */

const kinds = {
  "exchange.declare": "exchange",
  "queue.declare": "queue",
  "queue.consume": "consumer",
} as const;

const needed = {
  "exchange.declare": { exchange: "e", exchangeType: "topic" },
  "queue.declare": { queue: "new" },
  "queue.consume": { queue: "q" },
} as const;

test.each(Object.keys(needed) as (keyof typeof needed)[])(
  "an argument of %s that is not there yet is named",
  (type) =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q" });
      for (const argument of notBuilt[kinds[type]]) {
        expect(await client.request(type, { ...needed[type], arguments: { [argument]: 1 } })).toMatchObject({
          code: "not-implemented",
          details: { argument },
        });
      }
      for (const argument of ["x-message-ttl", "nonsense"]) {
        const args = JSON.parse(`{${JSON.stringify(argument)}: 1}`) as object;
        expect(await client.request(type, { ...needed[type], arguments: args })).toMatchObject({
          code: "invalid-argument",
          details: { argument },
        });
      }
      expect(await client.request("queue.declare", { queue: "new", passive: true })).toMatchObject({
        code: "not-found",
      });
      expect(await client.request("exchange.declare", { exchange: "e", passive: true })).toMatchObject({
        code: "not-found",
      });
      expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ consumerCount: 0 });
    }),
);

test("arguments that are too large are refused, and the limit is named", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q" });
      const args = { padding: "x".repeat(1024) };
      for (const [type, fields] of [
        ...Object.entries(needed),
        ["queue.bind", { exchange: "amq.headers" }],
      ] as const) {
        expect(await client.request(type, { ...fields, arguments: args })).toMatchObject({
          code: "limit-exceeded",
          details: { limit: "maxHeaderBytes", maximum: 1024 },
        });
      }
    },
    { config: { maxHeaderBytes: 1024 } },
  ));

test("the frames of later versions are known by name", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    for (const type of reservedFrameTypes) {
      expect(await client.request(type)).toMatchObject({
        type: "error",
        code: "not-implemented",
        details: { type },
      });
    }
  }));
