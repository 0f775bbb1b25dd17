import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { queueArguments } from "../../protocol/arguments.ts";
import type { Headers, HeaderValue } from "../../protocol/header-value.ts";
import { plainQueue, queueSettings } from "../../protocol/queue-settings.ts";
import type { JsonSchema } from "../../protocol/schema.ts";
import {
  combinedArguments,
  effectiveArguments,
  effectiveSettings,
} from "../../server/embedded/effective-arguments.ts";
import type { Policy } from "../../server/engine/engine.ts";

function policy(args: Headers): Policy {
  return { name: "p", pattern: "*", appliesTo: "queues", priority: 0, arguments: args };
}

function combined(declared: Headers, ofPolicy: Headers): Headers {
  return combinedArguments({ arguments: declared, policy: policy(ofPolicy) });
}

/** What was declared, what the policy says, and what holds of it. */
const rules: readonly (readonly [string, Headers, Headers, Headers])[] = [
  ["what only the policy has", {}, { maxLength: 5 }, { maxLength: 5 }],
  ["what only the declaration has", { maxLength: 5 }, {}, { maxLength: 5 }],
  ["what is no limit as declared", { maxPriority: 2 }, { maxPriority: 1 }, { maxPriority: 2 }],
  [
    "what is declared as off",
    { singleActiveConsumer: false },
    { singleActiveConsumer: true },
    { singleActiveConsumer: false },
  ],
  [
    "a retry schedule as one thing",
    { retry: { initialDelay: 5 } },
    { retry: { jitter: 0 } },
    { retry: { initialDelay: 5 } },
  ],
  [
    "the target of dead letters as one thing",
    { deadLetterExchange: "" },
    { deadLetterExchange: "x", deadLetterRoutingKey: "k" },
    { deadLetterExchange: "" },
  ],
  [
    "the declared target, also of another kind",
    { deadLetterQueue: "q" },
    { deadLetterExchange: "x", maxLength: 1 },
    { deadLetterQueue: "q", maxLength: 1 },
  ],
  [
    "groups or priorities, as declared",
    { maxPriority: 2 },
    { messageGroups: { by: "header" } },
    { maxPriority: 2 },
  ],
  [
    "the policy's overflow with the declared limit",
    { maxLength: 5 },
    { maxLength: 9, overflow: "reject-publish" },
    { maxLength: 5, overflow: "reject-publish" },
  ],
];

describe("of declared arguments and a policy", () => {
  test.each(rules)("%s", (_, declared, ofPolicy, wanted) => {
    expect(combined(declared, ofPolicy)).toEqual(wanted);
  });

  test.each([
    "messageTtl",
    "expires",
    "maxLength",
    "maxBytes",
    "deliveryLimit",
    "ackTimeout",
    "prefetchBytes",
  ])("the lower %s holds", (name) => {
    expect(combined({ [name]: 5 }, { [name]: 4 })).toEqual({ [name]: 4 });
    expect(combined({ [name]: 5 }, { [name]: 6 })).toEqual({ [name]: 5 });
  });

  test("each says where it comes from; of equal limits, the declaration", () => {
    const sources = {
      arguments: { maxLength: 5, maxBytes: 5 },
      policy: policy({ maxLength: 5, maxBytes: 4, expires: 9 }),
    };
    const effective = effectiveArguments("queue", sources, {
      ...combinedArguments(sources),
      messageTtl: Infinity,
    });
    expect(effective).toMatchObject({
      maxLength: { value: 5, from: "declared" },
      maxBytes: { value: 4, from: "policy:p" },
      expires: { value: 9, from: "policy:p" },
      messageTtl: { value: undefined, from: "default" },
    });
    expect(Object.keys(effective)).toEqual(Object.keys(queueArguments));
  });

  test("queues that have all from the same policy share their settings", () => {
    const shared = policy({ maxLength: 5 });
    const settings = effectiveSettings({ arguments: {}, policy: shared });
    expect(settings.maxLength).toBe(5);
    expect(effectiveSettings({ arguments: {}, policy: shared })).toBe(settings);
    expect(effectiveSettings({ arguments: { maxLength: 4 }, policy: shared }).maxLength).toBe(4);
    expect(effectiveSettings({ arguments: {}, policy: policy({}) })).toBe(plainQueue);
    expect(effectiveSettings({ arguments: {}, policy: undefined })).toBe(plainQueue);
  });

  test("what is right each by itself is right together", () => {
    fc.assert(
      fc.property(validArguments, validArguments, (declared, ofPolicy) => {
        expect(() => queueSettings(combined(declared, ofPolicy))).not.toThrow();
      }),
      { numRuns: 1000 },
    );
  });
});

/** Any value that a schema allows, small numbers mostly. */
function anyValue(schema: JsonSchema): fc.Arbitrary<HeaderValue> {
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as string[]));
  const [minimum, maximum] = [schema.minimum as number, Math.min(schema.maximum as number, 5)];
  switch (schema.type) {
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: Math.max(minimum, -5), max: maximum });
    case "number":
      return fc.double({ min: minimum, max: maximum, noNaN: true });
    case "string":
      return fc.constantFrom("a", "b");
    default: {
      const properties = Object.entries(schema.properties as { [name: string]: JsonSchema });
      const requiredKeys = schema.required as string[];
      return fc.record(Object.fromEntries(properties.map(([name, part]) => [name, anyValue(part)])), {
        requiredKeys,
      }) as fc.Arbitrary<HeaderValue>;
    }
  }
}

const validArguments = fc
  .record(
    Object.fromEntries(Object.entries(queueArguments).map(([name, { json }]) => [name, anyValue(json)])),
    { requiredKeys: [] },
  )
  .map((args) => args as Headers)
  .filter((args) => {
    try {
      queueSettings(args);
      return true;
    } catch {
      return false;
    }
  });
