import { describe, expect, expectTypeOf, test } from "vitest";
import type { QueueArguments } from "../../client/index.ts";
import { readArguments } from "../../protocol/argument-check.ts";
import type * as table from "../../protocol/arguments.ts";
import { PosthornError } from "../../protocol/errors.ts";
import type { Headers } from "../../protocol/header-value.ts";
import { plainQueue, queueSettings } from "../../protocol/queue-settings.ts";

function refusal(args: Headers): Pick<PosthornError, "code" | "message" | "details"> {
  try {
    queueSettings(args);
  } catch (error) {
    if (error instanceof PosthornError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(args)} was accepted.`);
}

describe("the settings of a queue", () => {
  test("without arguments are one frozen object for all queues", () => {
    expect(queueSettings({})).toBe(plainQueue);
    expect(Object.isFrozen(plainQueue)).toBe(true);
  });

  test("have what was given, and the defaults of the rest", () => {
    const settings = queueSettings({ messageTtl: 0, maxLength: 10, overflow: "reject-publish" });
    expect(settings).toEqual({ ...plainQueue, messageTtl: 0, maxLength: 10, overflow: "reject-publish" });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  test("name one place for dead letters: an exchange, with a key or the message's own, or a queue", () => {
    expect(queueSettings({ deadLetterExchange: "" }).deadLetter).toEqual({
      exchange: "",
      routingKey: undefined,
    });
    expect(queueSettings({ deadLetterExchange: "dlx", deadLetterRoutingKey: "failed" }).deadLetter).toEqual({
      exchange: "dlx",
      routingKey: "failed",
    });
    expect(queueSettings({ deadLetterQueue: "failed" }).deadLetter).toEqual({ queue: "failed" });
  });

  test("have a whole retry schedule as soon as there is one at all", () => {
    const defaults = { initialDelay: 1000, multiplier: 2, maxDelay: 300_000, jitter: 0.1 };
    expect(queueSettings({ retry: {} }).retry).toEqual(defaults);
    expect(queueSettings({ retry: { multiplier: 1.5 } }).retry).toEqual({ ...defaults, multiplier: 1.5 });
    expect(queueSettings({ retry: { initialDelay: 900_000 } }).retry).toMatchObject({ maxDelay: 900_000 });
  });

  test("have a whole circuit breaker as soon as there is one at all", () => {
    expect(queueSettings({ circuitBreaker: { failureRate: 0.1 } }).circuitBreaker).toEqual({
      failureRate: 0.1,
      minimum: 20,
      window: 10_000,
      open: 30_000,
    });
  });
});

describe("an argument", () => {
  test.each<[string, Headers, string]>([
    ["messageTtl", { messageTtl: -1 }, "a whole number from 0 to 315360000000"],
    ["messageTtl", { messageTtl: "1000" }, "a whole number from 0 to 315360000000"],
    ["messageTtl", { messageTtl: 1.5 }, "a whole number from 0 to 315360000000"],
    ["messageTtl", { messageTtl: Number.NaN }, "a whole number from 0 to 315360000000"],
    ["messageTtl", { messageTtl: 2n ** 60n }, "a whole number from 0 to 315360000000"],
    ["messageTtl", { messageTtl: null }, "a whole number from 0 to 315360000000"],
    ["expires", { expires: 0 }, "a whole number from 1 to 315360000000"],
    ["expires", { expires: 315_360_000_001 }, "a whole number from 1 to 315360000000"],
    ["maxLength", { maxLength: -1 }, "a whole number from 0 to 9007199254740991"],
    ["maxBytes", { maxBytes: true }, "a whole number from 0 to 9007199254740991"],
    [
      "overflow",
      { overflow: "drop-tail", maxLength: 1 },
      'one of "drop-head", "reject-publish", "dead-letter"',
    ],
    ["deadLetterExchange", { deadLetterExchange: "x".repeat(256) }, "text of 0 to 255 bytes"],
    ["deadLetterExchange", { deadLetterExchange: "ü".repeat(128) }, "text of 0 to 255 bytes"],
    ["deadLetterQueue", { deadLetterQueue: "" }, "text of 1 to 255 bytes"],
    ["deadLetterQueue", { deadLetterQueue: new Uint8Array(3) }, "text of 1 to 255 bytes"],
    ["deliveryLimit", { deliveryLimit: 0 }, "a whole number from 1 to 1000000"],
    ["retry", { retry: 1000 }, "an object of initialDelay, multiplier, maxDelay, jitter"],
    ["retry", { retry: { delay: 1000 } }, "an object of initialDelay, multiplier, maxDelay, jitter"],
    ["retry", { retry: new Date(0) }, "an object of initialDelay, multiplier, maxDelay, jitter"],
    ["retry.multiplier", { retry: { multiplier: 0.5 } }, "a number from 1 to 100"],
    ["retry.jitter", { retry: { jitter: 2 } }, "a number from 0 to 1"],
    ["maxPriority", { maxPriority: 256 }, "a whole number from 0 to 255"],
    ["singleActiveConsumer", { singleActiveConsumer: 1 }, "true or false"],
    ["messageGroups", { messageGroups: "customer" }, "an object of by, name, maxUnsettled, lookAhead"],
    ["messageGroups.by", { messageGroups: { by: "body" } }, 'one of "routingKey", "header", "property"'],
    ["circuitBreaker.failureRate", { circuitBreaker: { failureRate: 50 } }, "a number from 0 to 1"],
  ])("%s as in %o is refused, and what is allowed is said", (argument, args, allowed) => {
    const { code, message, details } = refusal(args);
    expect(code).toBe("invalid-argument");
    expect(details).toEqual({ argument, allowed });
    expect(message).toContain(`The queue argument ${JSON.stringify(argument)} must be ${allowed}, not `);
  });

  test("that is not known is refused with the names of those that are", () => {
    const { code, details } = refusal({ "x-message-ttl": 1000 });
    expect(code).toBe("invalid-argument");
    expect(details.argument).toBe("x-message-ttl");
    expect(String(details.allowed).split(", ")).toContain("messageTtl");
    expect(() => readArguments("consumer", { messageTtl: 1 })).toThrow(
      'The consumer argument "messageTtl" is not known. There are: priority, prefetchBytes, ackTimeout.',
    );
    expect(refusal({ constructor: 1 }).details.argument).toBe("constructor");
  });

  test.each<[string, Headers, string]>([
    ["deadLetterRoutingKey", { deadLetterRoutingKey: "k" }, "needs deadLetterExchange"],
    ["deadLetterRoutingKey", { deadLetterRoutingKey: "k", deadLetterQueue: "q" }, "needs deadLetterExchange"],
    [
      "deadLetterQueue",
      { deadLetterQueue: "q", deadLetterExchange: "" },
      "does not go together with deadLetterExchange",
    ],
    ["overflow", { overflow: "drop-head" }, "needs maxLength or maxBytes"],
    [
      "overflow",
      { overflow: "dead-letter", maxBytes: 1 },
      'needs deadLetterExchange or deadLetterQueue to be "dead-letter"',
    ],
    ["retry.maxDelay", { retry: { maxDelay: 10 } }, "is shorter than retry.initialDelay"],
    [
      "messageGroups",
      { messageGroups: { by: "routingKey", name: "k" } },
      'takes no name with by "routingKey"',
    ],
    [
      "messageGroups",
      { messageGroups: { by: "property", name: "priority" } },
      "needs the name of a property; these can be keys: contentType, contentEncoding, correlationId, replyTo, messageId, type, userId, appId",
    ],
    ["messageGroups", { messageGroups: { name: "" } }, "needs the name of a header"],
    [
      "circuitBreaker.failureRate",
      { circuitBreaker: { failureRate: 0 } },
      "is 0: the circuit would open without a failure",
    ],
    ["messageGroups", { messageGroups: {}, maxPriority: 5 }, "does not go together with maxPriority"],
  ])("%s as in %o does not go with the others, and that is said", (argument, args, problem) => {
    const { code, message, details } = refusal(args);
    expect(code).toBe("invalid-argument");
    expect(details).toEqual({ argument, problem });
    expect(message).toBe(`The queue argument ${JSON.stringify(argument)} ${problem}.`);
  });
});

/** The same type written out, so that two ways to put it together compare as equal. */
type Plain<T> = T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

test("the client's options are those of the table", () => {
  expectTypeOf<Plain<QueueArguments>>().toEqualTypeOf<Plain<table.QueueArguments>>();
});
