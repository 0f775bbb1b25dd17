import type { Owner } from "../engine/engine.ts";

/** Who is at a door: one client of the broker, known by name. Exclusive queues belong to it. */
export interface Visitor extends Owner {
  /** For logs and messages to people: the session's id. */
  readonly name: string;
  readonly user: string;
}

/** The user of a broker that has none configured. */
export const anonymousUser = "anonymous";
