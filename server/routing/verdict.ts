import type { Headers } from "../../protocol/header-value.ts";
import type { BindingOutcome } from "../../protocol/route-explanation.ts";
import type { ExchangeType } from "./exchange-types.ts";
import { HeaderCriteria } from "./header-criteria.ts";
import type { RoutedMessage } from "./routed-message.ts";
import { topicMismatch } from "./topic-mismatch.ts";
import { keyMatches } from "./topic-pattern.ts";

/** Whether a message passes over a binding, and why, as a sentence. */
export interface Verdict {
  readonly outcome: BindingOutcome;
  readonly reason: string;
}

/** A binding and a message, and what the exchange as a whole does. */
export interface Case {
  readonly routingKey: string;
  readonly arguments: Headers;
  readonly message: RoutedMessage;
  /** The exchange picks one of its destinations, or several for several keys, and this binding's is among them. */
  readonly isPicked: boolean;
  readonly destinationCount: number;
}

/** One judge a type: what they say agrees with the type's router, which a test holds them to. */
const judges: { readonly [type in ExchangeType]: (binding: Case) => Verdict } = {
  direct: ({ routingKey, message }) => {
    const isThere = keysOf(message).includes(routingKey);
    return isThere
      ? matched(`${nameOf(routingKey, message)} is the binding's.`)
      : notMatched(`${keysTogether(message)} not the binding's.`);
  },
  fanout: () => matched("A fanout exchange passes everything on."),
  topic: ({ routingKey, message }) => {
    const key = keysOf(message).find((candidate) => keyMatches(routingKey, candidate));
    if (key !== undefined) return matched(`${nameOf(key, message)} fits the pattern.`);
    if (message.copyKeys.length > 0) return notMatched("None of the routing keys fits the pattern.");
    return notMatched(topicMismatch(routingKey, message.routingKey));
  },
  headers: ({ arguments: args, message }) => {
    const criteria = new HeaderCriteria(args);
    const headers = message.headers();
    const reason = criteria.reason(headers);
    return criteria.accepts(headers) ? matched(reason) : notMatched(reason);
  },
  "consistent-hash": ({ isPicked, destinationCount }) =>
    isPicked
      ? matched(`The hash picks this one of ${destinations(destinationCount)}.`)
      : notMatched(`The hash picks another one of ${destinations(destinationCount)}.`),
  random: ({ destinationCount }) =>
    destinationCount === 1
      ? matched("There is no other destination.")
      : { outcome: "chance", reason: `One of ${destinations(destinationCount)} is drawn for each message.` },
};

export function judge(type: ExchangeType, binding: Case): Verdict {
  return judges[type](binding);
}

function matched(reason: string): Verdict {
  return { outcome: "matched", reason };
}

function notMatched(reason: string): Verdict {
  return { outcome: "not-matched", reason };
}

function keysOf({ routingKey, copyKeys }: RoutedMessage): readonly string[] {
  return [routingKey, ...copyKeys];
}

function nameOf(key: string, { routingKey }: RoutedMessage): string {
  return key === routingKey ? "The routing key" : `The further routing key ${JSON.stringify(key)}`;
}

function keysTogether({ copyKeys }: RoutedMessage): string {
  return copyKeys.length === 0 ? "The routing key is" : "The routing keys are";
}

function destinations(count: number): string {
  return count === 1 ? "1 destination" : `${count} destinations`;
}
