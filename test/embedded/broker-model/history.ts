import fc from "fast-check";
import { type Command, commands } from "./commands.ts";
import { type Topology, topology } from "./topologies.ts";

/** What is declared, and what happens then. */
export interface History {
  readonly topology: Topology;
  readonly commands: readonly Command[];
}

export const history: fc.Arbitrary<History> = fc.record({ topology, commands });
