import type { Headers } from "../../protocol/header-value.ts";
import { topicMatches } from "../routing/naive-matchers.ts";

export type ModelExchangeType = PredictableType | ChoosingType;
type PredictableType = "direct" | "fanout" | "topic" | "headers";
/** Exchanges that choose one of their destinations. */
type ChoosingType = "random" | "consistent-hash";

/** Which of all its bindings such an exchange goes by. */
export type Choice = (
  type: ChoosingType,
  bindings: readonly ModelBinding[],
  keys: readonly string[],
) => readonly ModelBinding[];

export interface ModelExchange {
  readonly type: ModelExchangeType;
  readonly alternate: string | undefined;
  readonly autoDelete: boolean;
}

export interface ModelBinding {
  readonly source: string;
  readonly kind: "queue" | "exchange";
  readonly destination: string;
  readonly key: string;
}

/** What the rules on exchanges bound to each other say, written for reading: SEMANTICS 19, 21, 22, 24, 25. */
export class RoutesModel {
  readonly exchanges = new Map<string, ModelExchange>();
  readonly queues = new Set<string>();
  bindings: ModelBinding[] = [];
  readonly #choose: Choice;

  constructor(choose: Choice = () => []) {
    this.#choose = choose;
  }

  deleteExchange(name: string): void {
    if (!this.exchanges.delete(name)) return;
    this.#remove(
      ({ source, kind, destination }) => source === name || (kind === "exchange" && destination === name),
    );
  }

  deleteQueue(name: string): void {
    this.queues.delete(name);
    this.#remove(({ kind, destination }) => kind === "queue" && destination === name);
  }

  bind(binding: ModelBinding): void {
    if (!this.bindings.some((other) => isSame(other, binding))) this.bindings.push(binding);
  }

  unbind(binding: ModelBinding): void {
    this.#remove((other) => isSame(other, binding));
  }

  /** The queues that a message reaches by any of its keys, and whether an alternate exchange was missed on the way. */
  route(
    from: string,
    key: string,
    headers: Headers,
    copyKeys: readonly string[] = [],
  ): { queues: Set<string>; missed: number } {
    const keys = [key, ...copyKeys];
    const queues = new Set<string>();
    const seen = new Set<string>();
    let missed = 0;
    const visit = (name: string) => {
      if (seen.has(name)) return;
      seen.add(name);
      const { type, alternate } = this.exchanges.get(name)!;
      const own = this.bindings.filter(({ source }) => source === name);
      const matching =
        type === "random" || type === "consistent-hash"
          ? this.#choose(type, own, keys)
          : own.filter((binding) => keys.some((one) => matches(type, binding.key, one, headers)));
      for (const { kind, destination } of matching) {
        if (kind === "queue") queues.add(destination);
        else visit(destination);
      }
      if (matching.length > 0 || alternate === undefined) return;
      if (this.exchanges.has(alternate)) visit(alternate);
      else missed++;
    };
    visit(from);
    return { queues, missed };
  }

  #remove(isGone: (binding: ModelBinding) => boolean): void {
    const gone = this.bindings.filter(isGone);
    this.bindings = this.bindings.filter((binding) => !isGone(binding));
    for (const { source } of gone) {
      const isLeft = this.bindings.some((binding) => binding.source === source);
      if (this.exchanges.get(source)?.autoDelete && !isLeft) this.deleteExchange(source);
    }
  }
}

/** A headers exchange of the model asks for a header `key` with the value of the binding's key. */
function matches(type: PredictableType, bindingKey: string, key: string, headers: Headers): boolean {
  switch (type) {
    case "fanout":
      return true;
    case "headers":
      return headers.key === bindingKey;
    case "topic":
      return topicMatches(bindingKey, key);
    case "direct":
      return bindingKey === key;
  }
}

function isSame(a: ModelBinding, b: ModelBinding): boolean {
  return a.source === b.source && a.kind === b.kind && a.destination === b.destination && a.key === b.key;
}
