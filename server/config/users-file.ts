import type { UserEntry } from "../broker/users.ts";
import { ConfigError } from "./config-error.ts";
import { explainUsersFile } from "./explain.ts";
import type { ReadFile } from "./json-file.ts";
import { readJsonObject } from "./json-file.ts";
import { validateUsersFile } from "./schema.ts";

/** Reads `{ "users": [{ "name": …, "passwordHash": … }] }`. `namedBy` says where the path came from. */
export function readUsersFile(readFile: ReadFile, path: string, namedBy: string): readonly UserEntry[] {
  const content = readJsonObject(readFile, path, `The users file ${path}, named by ${namedBy},`);
  if (!validateUsersFile(content)) {
    throw explainUsersFile(validateUsersFile.errors![0]!, `the users file ${path}`);
  }
  return content.users as readonly UserEntry[];
}

/** Two entries with one name: nobody could say which password counts. */
export function checkUserNames(users: readonly UserEntry[]): void {
  const seen = new Set<string>();
  for (const { name } of users) {
    if (seen.has(name))
      throw new ConfigError(`The user ${JSON.stringify(name)} is listed twice in users.`, "users");
    seen.add(name);
  }
}
