import fc from "fast-check";
import { expect, test } from "vitest";
import { Policies, type Subject } from "../../server/embedded/policies.ts";
import type { Policy } from "../../server/engine/engine.ts";

class Followed implements Subject {
  readonly name: string;
  policy: Policy | undefined;
  followed = 0;

  constructor(name: string) {
    this.name = name;
  }

  follow(policy: Policy | undefined): void {
    this.policy = policy;
    this.followed++;
  }
}

const policyArbitrary: fc.Arbitrary<Policy> = fc.record({
  name: fc.constantFrom("a", "b", "c", "d", "e"),
  pattern: fc.constantFrom("*", "x*", "*y", "xy", "x*y", "none"),
  appliesTo: fc.constantFrom("queues" as const, "exchanges" as const),
  priority: fc.integer({ min: -1, max: 2 }),
  arguments: fc.constant({}),
});

const stepArbitrary = fc.oneof(
  fc.record({ set: policyArbitrary }),
  fc.record({ delete: fc.constantFrom("a", "b", "c", "d", "e") }),
  fc.record({ declare: fc.constantFrom("x", "y", "xy", "x-y", "z") }),
);

/** The rule, said in one sentence. */
function best(policies: Iterable<Policy>, kind: Policy["appliesTo"], name: string): Policy | undefined {
  const matching = [...policies].filter(
    ({ appliesTo, pattern }) =>
      appliesTo === kind && new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(name),
  );
  return matching.sort((one, other) => other.priority - one.priority || (one.name < other.name ? -1 : 1))[0];
}

test("whatever is set, replaced, deleted and declared: the best match is in force for each, and who is not concerned is left alone", () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 30 }), (steps) => {
      const subjects = { queues: new Map<string, Followed>(), exchanges: new Map<string, Followed>() };
      const policies = new Policies(subjects, 5);
      const known = new Map<string, Policy>();
      for (const step of steps) {
        const all = [...subjects.queues.values(), ...subjects.exchanges.values()];
        const before = all.map(({ policy, followed }) => ({ policy, followed }));
        if ("set" in step) {
          const policy = { ...step.set };
          policies.set(policy);
          known.set(policy.name, policy);
        } else if ("delete" in step) {
          expect(policies.delete(step.delete)).toBe(known.delete(step.delete));
        } else {
          for (const kind of ["queues", "exchanges"] as const) {
            const subject = new Followed(step.declare);
            subject.follow(policies.find(kind, subject.name));
            subjects[kind].set(subject.name, subject);
          }
        }
        for (const kind of ["queues", "exchanges"] as const)
          for (const { name, policy } of subjects[kind].values())
            expect(policy).toBe(best(known.values(), kind, name));
        for (const [i, { policy, followed }] of all.entries())
          if (policy === before[i]!.policy) expect(followed).toBe(before[i]!.followed);
      }
      const counts = policies.report().map(({ name, inForce }) => [name, inForce]);
      const everyone = [...subjects.queues.values(), ...subjects.exchanges.values()];
      expect(new Map(counts as [string, number][])).toEqual(
        new Map(
          [...known.keys()].map((name) => [
            name,
            everyone.filter(({ policy }) => policy?.name === name).length,
          ]),
        ),
      );
    }),
    { numRuns: 500 },
  );
});
