import { headersFromJson } from "../protocol/header-json.ts";
import { argumentsContent } from "./arguments-content.ts";
import type { Connection } from "./connection.ts";
import type { ExchangeArguments } from "./exchange-arguments.ts";
import type { QueueArguments } from "./queue-arguments.ts";

/** What a policy says, and what it says it for. */
export type PolicyDefinition =
  | PolicyTerms<"queues", QueueArguments>
  | PolicyTerms<"exchanges", ExchangeArguments>;

interface PolicyTerms<Kind extends string, Arguments> {
  /**
   * Names that it is for. `*` stands for any text, also none, and everything else for itself; the whole name has to match:
   * `orders.*` is for `orders.new`, not for `old-orders.new`.
   */
  readonly pattern: string;
  readonly appliesTo: Kind;
  /** Of the policies that match a name, the one with the highest is in force; of equals the one whose name comes first. Default 0. */
  readonly priority?: number;
  readonly arguments: Arguments;
}

/** A policy, as the broker has it. */
export type Policy = Required<PolicyDefinition> & {
  readonly name: string;
  /** For how many queues or exchanges it is in force. */
  readonly inForce: number;
};

interface PolicyOptions {
  readonly signal?: AbortSignal;
}

/**
 * Policies: arguments for all queues or exchanges whose names match, those that are there and those to come. They belong to
 * the broker, not to this connection, and survive its restart.
 *
 * One policy is in force for a queue, the one with the highest priority. An argument that the queue was declared with goes
 * before the policy's; but of limits the lower holds: `messageTtl`, `expires`, `maxLength`, `maxBytes`, `deliveryLimit`,
 * `ackTimeout`, `prefetchBytes`. What holds, and where it comes from, is in the queue's `status()`.
 */
export class Policies {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Adds a policy, or replaces the one of that name. It is in force at once, also for what is there. Returns for how many
   * queues or exchanges it is.
   * @throws PosthornError `invalid-argument` for an argument that is not known, not allowed, or does not go with another,
   * which `details.argument` names; `limit-exceeded`, …
   */
  async set(name: string, definition: PolicyDefinition, options: PolicyOptions = {}): Promise<number> {
    const { pattern, appliesTo, priority, arguments: args } = definition;
    const content = {
      policy: name,
      pattern,
      appliesTo,
      ...(priority !== undefined && { priority }),
      ...argumentsContent({ ...args }),
    };
    const reply = await this.#connection.request("policy.set", content, { ...options, repeatable: true });
    return reply.inForce;
  }

  /** Deletes a policy: the next one that matches is in force, or none. One that does not exist is no error. */
  async delete(name: string, options: PolicyOptions = {}): Promise<void> {
    await this.#connection.request("policy.delete", { policy: name }, { ...options, repeatable: true });
  }

  /** All policies, by rank: of two that match a name, the one that is in force comes first. */
  async list(options: PolicyOptions = {}): Promise<Policy[]> {
    const { policies } = await this.#connection.request("policy.list", {}, { ...options, repeatable: true });
    return policies.map(
      ({ policy: name, arguments: args, ...facts }) =>
        ({ name, ...facts, arguments: headersFromJson(args) }) as Policy,
    );
  }
}
