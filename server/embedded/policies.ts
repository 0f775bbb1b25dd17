import { PosthornError } from "../../protocol/errors.ts";
import type { Policy, PolicyReport } from "../engine/engine.ts";
import { NamePattern } from "./name-pattern.ts";

/** A queue or an exchange, as far as policies go. */
export interface Subject {
  readonly name: string;
  /** The one that is in force for it. */
  readonly policy: Policy | undefined;
  /** From now on another one is in force, or none. */
  follow(policy: Policy | undefined): void;
}

/** What policies apply to. */
export type Subjects = { readonly [kind in Policy["appliesTo"]]: ReadonlyMap<string, Subject> };

interface RankedPolicy {
  readonly policy: Policy;
  readonly pattern: NamePattern;
}

/**
 * Policies by name, and which of them is in force for what: the one with the highest priority whose pattern matches, and of
 * equals the one whose name comes first. One at a time: they do not add up.
 */
export class Policies {
  readonly #subjects: Subjects;
  readonly #maxPolicies: number;
  /** Those that win come first. */
  #ranked: RankedPolicy[] = [];

  constructor(subjects: Subjects, maxPolicies: number) {
    this.#subjects = subjects;
    this.#maxPolicies = maxPolicies;
  }

  /** Adds a policy or replaces the one of that name. It holds at once. @throws PosthornError `limit-exceeded` */
  set(policy: Policy): void {
    const former = this.get(policy.name);
    if (former === undefined && this.#ranked.length >= this.#maxPolicies) {
      throw new PosthornError(
        "limit-exceeded",
        `The broker allows no more than ${this.#maxPolicies} (maxPolicies).`,
        { limit: "maxPolicies", maximum: this.#maxPolicies },
      );
    }
    const ranked = { policy, pattern: new NamePattern(policy.pattern) };
    this.#ranked = [...this.#ranked.filter((other) => other.policy !== former), ranked].sort(byRank);
    if (former !== undefined) this.#replace(former);
    for (const subject of this.#subjects[policy.appliesTo].values())
      if (ranked.pattern.matches(subject.name)) this.#review(policy.appliesTo, subject);
  }

  /** Returns whether there was one of that name. */
  delete(name: string): boolean {
    const policy = this.get(name);
    if (policy === undefined) return false;
    this.#ranked = this.#ranked.filter((other) => other.policy !== policy);
    this.#replace(policy);
    return true;
  }

  get(name: string): Policy | undefined {
    return this.#ranked.find(({ policy }) => policy.name === name)?.policy;
  }

  /** The policy that is to be in force for a queue or exchange of this name. */
  find(kind: Policy["appliesTo"], name: string): Policy | undefined {
    return this.#ranked.find(({ policy, pattern }) => policy.appliesTo === kind && pattern.matches(name))
      ?.policy;
  }

  /** Those that win come first. */
  report(): PolicyReport[] {
    const counts = new Map<Policy, number>();
    const { queues, exchanges } = this.#subjects;
    for (const subjects of [queues, exchanges]) {
      for (const { policy } of subjects.values())
        if (policy !== undefined) counts.set(policy, (counts.get(policy) ?? 0) + 1);
    }
    return this.#ranked.map(({ policy }) => ({ ...policy, inForce: counts.get(policy) ?? 0 }));
  }

  /** Finds another policy for everything that one was in force for. */
  #replace(former: Policy): void {
    const kind = former.appliesTo;
    for (const subject of this.#subjects[kind].values())
      if (subject.policy === former) this.#review(kind, subject);
  }

  #review(kind: Policy["appliesTo"], subject: Subject): void {
    const best = this.find(kind, subject.name);
    if (best !== subject.policy) subject.follow(best);
  }
}

function byRank({ policy: one }: RankedPolicy, { policy: other }: RankedPolicy): number {
  return other.priority - one.priority || (one.name < other.name ? -1 : 1);
}
