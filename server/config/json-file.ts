import { ConfigError } from "./config-error.ts";

/** Reads a file whole, as UTF-8; throws when it cannot. */
export type ReadFile = (path: string) => string;

function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "permission is denied";
  if (code === "EISDIR") return "it is a directory";
  return String(code ?? "reading failed");
}

/** Only the position of a mistake: the parser's own message quotes the file, which may hold secrets. */
function whereInvalid(error: unknown, text: string): string {
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
  if (position === undefined) return "";
  const lines = text.slice(0, Number(position)).split("\n");
  return ` (line ${lines.length}, column ${lines.at(-1)!.length + 1})`;
}

/** Reads a JSON file that holds one object. `what` names the file in the sentences about what is wrong with it. */
export function readJsonObject(readFile: ReadFile, path: string, what: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw new ConfigError(`${what} cannot be read: ${whyUnreadable(error)}.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new ConfigError(`${what} is not valid JSON${whereInvalid(error, text)}.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfigError(`${what} must hold one JSON object.`);
  }
  return value as Record<string, unknown>;
}
