import type { HashOn } from "../../protocol/arguments.ts";
import { textProperties } from "../../protocol/envelope.ts";

/** What is wrong with the argument `hashOn`, as the end of a sentence; undefined if nothing is. */
export function hashOnProblem({ by, name }: HashOn): string | undefined {
  switch (by) {
    case "routingKey":
      return name === undefined ? undefined : 'takes no name with by "routingKey"';
    case "header":
      return name === undefined ? "needs the name of the header" : undefined;
    case "property": {
      if ((textProperties as readonly (string | undefined)[]).includes(name)) return undefined;
      return `needs the name of a property; these can be hashed: ${textProperties.join(", ")}`;
    }
  }
}
