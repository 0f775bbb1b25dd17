import fc from "fast-check";
import { type Command, commands } from "./commands.ts";
import { type Topology, topology } from "./topologies.ts";

/** What is declared, and what happens then. */
export interface History {
  readonly topology: Topology;
  readonly commands: readonly Command[];
}

/** Each seed is the first of its run, and small values would be preferred in it as if there were more to come. */
export const history: fc.Arbitrary<History> = fc.noBias(fc.record({ topology, commands }));
