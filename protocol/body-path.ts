import { PosthornError } from "./errors.ts";

/** The steps from a JSON value to one inside it: names of objects and indexes of lists. */
export type BodyPath = readonly (string | number)[];

const maxSteps = 32;
/** `.name`, `["any name"]` or `[12]`, at the place where the expression stands. */
const step = /\.([\p{L}_][\p{L}\p{N}_-]*)|\[(0|[1-9]\d{0,8})\]|\[("(?:[^"\\]|\\.)*")\]/uy;

/**
 * Reads a path such as `$.order.items[0]["unit price"]`: the part of JSONPath that leads to one place. There are no wildcards,
 * filters or functions.
 * @throws PosthornError `invalid-argument`
 */
export function parseBodyPath(text: string): BodyPath {
  if (!text.startsWith("$")) throw notAPath(text, "it does not begin with $");
  const path: (string | number)[] = [];
  for (let at = 1; at < text.length; at = step.lastIndex) {
    step.lastIndex = at;
    const match = step.exec(text);
    if (match === null)
      throw notAPath(text, `at character ${at + 1} neither .name nor [index] nor ["name"] follows`);
    if (path.length === maxSteps) throw notAPath(text, `it has more than ${maxSteps} steps`);
    const [, name, index, quoted] = match;
    path.push(name ?? (index === undefined ? unquoted(text, quoted!) : Number(index)));
  }
  return path;
}

/** What is at the path; `undefined` if there is nothing. */
export function valueAt(json: unknown, path: BodyPath): unknown {
  let value = json;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    // An index is for lists and a name for objects; neither reaches what is inherited.
    if (Array.isArray(value) !== (typeof key === "number") || !Object.hasOwn(value, key)) return undefined;
    value = (value as { readonly [key: string | number]: unknown })[key];
  }
  return value;
}

function unquoted(path: string, quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw notAPath(path, `${quoted} is not a text in JSON`);
  }
}

function notAPath(text: string, why: string): PosthornError {
  const shown = JSON.stringify(text.slice(0, 80));
  return new PosthornError("invalid-argument", `${shown} is not a path into a body: ${why}.`, {
    path: text.slice(0, 80),
  });
}
