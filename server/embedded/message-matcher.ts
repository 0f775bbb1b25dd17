import { valueAt } from "../../protocol/body-path.ts";
import { EnvelopeHead } from "../../protocol/envelope.ts";
import type { HeaderValue } from "../../protocol/header-value.ts";
import type { MessageFilter } from "../engine/engine.ts";
import { headerValuesEqual } from "../routing/header-equality.ts";
import { TopicRouter } from "../routing/topic-router.ts";
import { readHistory } from "./death-history.ts";
import type { Entry } from "./entry.ts";

/** A longer body meets no condition: to read it would hold up everybody else. */
const maxBodyBytes = 256 * 1024;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Says which entries meet a filter, the cheapest condition first. */
export class MessageMatcher {
  readonly #filter: MessageFilter;
  readonly #head = new EnvelopeHead();
  readonly #keys: TopicRouter<true> | undefined;

  constructor(filter: MessageFilter) {
    this.#filter = filter;
    if (filter.routingKey === undefined) return;
    // With one pattern in it there is nothing to be gained by words that collide.
    this.#keys = new TopicRouter({ random: () => 0 });
    this.#keys.bind(filter.routingKey, {}, true);
  }

  matches(entry: Entry): boolean {
    const { state, headers, headerNames, body } = this.#filter;
    if (state !== undefined && entry.state !== state) return false;
    if (!this.#meetsDeath(entry)) return false;
    if ((this.#keys ?? headers ?? headerNames ?? body) === undefined) return true;
    this.#head.read(entry.envelope);
    return this.#meetsKey() && this.#meetsHeaders() && this.#meetsBody();
  }

  #meetsDeath({ history }: Entry): boolean {
    const { reason, diedIn } = this.#filter;
    if (reason === undefined && diedIn === undefined) return true;
    const latest = readHistory(history).deaths?.[0];
    return (
      latest !== undefined &&
      (reason === undefined || latest.reason === reason) &&
      (diedIn === undefined || latest.queue === diedIn)
    );
  }

  #meetsKey(): boolean {
    if (this.#keys === undefined) return true;
    const found = new Set<true>();
    const facts = { headers: () => this.#head.headers(), property: () => undefined };
    this.#keys.match(this.#head.routingKey, facts, found);
    return found.size > 0;
  }

  #meetsHeaders(): boolean {
    const { headers = {}, headerNames = [] } = this.#filter;
    const names = Object.keys(headers);
    if (names.length + headerNames.length === 0) return true;
    const there = this.#head.headers();
    return (
      headerNames.every((name) => Object.hasOwn(there, name)) &&
      names.every((name) => Object.hasOwn(there, name) && headerValuesEqual(there[name]!, headers[name]!))
    );
  }

  #meetsBody(): boolean {
    const { body = [] } = this.#filter;
    if (body.length === 0) return true;
    const { bytes, bodyAt, bodyBytes } = this.#head;
    if (bodyBytes === 0 || bodyBytes > maxBodyBytes) return false;
    let json: unknown;
    try {
      json = JSON.parse(decoder.decode(bytes.subarray(bodyAt)));
    } catch {
      return false;
    }
    return body.every(({ path, value }) => {
      const there = valueAt(json, path);
      if (there === undefined) return false;
      // What JSON can say is among what headers can.
      return value === undefined || headerValuesEqual(there as HeaderValue, value as HeaderValue);
    });
  }
}
