import type { UserEntry } from "./broker/users.ts";
import { ConfigError } from "./config/config-error.ts";
import { checkTogether, withDefaults } from "./config/defaults.ts";
import { explainSettings } from "./config/explain.ts";
import { configFileSetting, readFlags } from "./config/flags.ts";
import type { ReadFile } from "./config/json-file.ts";
import { readJsonObject } from "./config/json-file.ts";
import { isLoopback } from "./config/loopback.ts";
import { validateSettings } from "./config/schema.ts";
import type { Settings } from "./config/settings.ts";
import type { Source } from "./config/source.ts";
import { valueFromJson } from "./config/source.ts";
import { checkUserNames, readUsersFile } from "./config/users-file.ts";
import type { Environment } from "./config/variables.ts";
import { readVariables } from "./config/variables.ts";

/**
 * Everything that can be set. All but the users follows from the table in config/settings.ts, which says what each
 * setting does, its default and its bounds. Names ending in `Ms` are milliseconds, in `Bytes` bytes.
 */
export interface Config extends Settings {
  /** Who may log in. Without any, everyone may, and the broker listens on loopback only. */
  readonly users: readonly UserEntry[];
}

export interface ConfigSources {
  /** The flags: what follows `posthorn serve`. */
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Reads the config file and the users file. Paths are as given, so relative to the working directory. */
  readonly readFile: ReadFile;
}

function checkSource(source: Source, where: string): void {
  if (validateSettings(Object.fromEntries(source.values))) return;
  throw explainSettings(validateSettings.errors![0]!, source.values, source.origin, where);
}

/** Takes the config file's path out of a source: it is where settings are, not one of them. */
function takeConfigPath(source: Source): { path: unknown; rest: Source } {
  const values = new Map(source.values);
  const path = values.get(configFileSetting);
  values.delete(configFileSetting);
  return { path, rest: { values, origin: source.origin } };
}

function readConfigFile(readFile: ReadFile, path: string): Source {
  const where = `the file ${path}`;
  const content = readJsonObject(readFile, path, `The config file ${path}`);
  const values = new Map(Object.entries(content).map(([key, value]) => [key, valueFromJson(key, value)]));
  const source = { values, origin: () => where };
  checkSource(source, where);
  return source;
}

function checkExposure(config: Config): void {
  if (config.users.length > 0 || isLoopback(config.host)) return;
  throw new ConfigError(
    `host is ${JSON.stringify(config.host)}, which other machines can reach, but no users are configured: ` +
      "create one with `posthorn hash-password` and name it in the config file or with --users-file, or listen on 127.0.0.1.",
    "host",
  );
}

/**
 * Reads and checks the settings. Flags come before variables, variables before the config file (`--config` or
 * `POSTHORN_CONFIG`), the file before the defaults. Every source is checked whole, also where another overrides it.
 *
 * @throws ConfigError with one sentence that names the setting, where it came from, and what is allowed.
 */
export function loadConfig({ argv, env, readFile }: ConfigSources): Config {
  const flags = takeConfigPath(readFlags(argv));
  const variables = takeConfigPath(readVariables(env));
  checkSource(flags.rest, "the flags");
  checkSource(variables.rest, "the variables");
  const path = flags.path ?? variables.path;
  const sources = [flags.rest, variables.rest];
  if (typeof path === "string") sources.push(readConfigFile(readFile, path));

  const given = new Map<string, { value: unknown; origin: string }>();
  for (const source of sources) {
    for (const [name, value] of source.values) {
      if (!given.has(name)) given.set(name, { value, origin: source.origin(name) });
    }
  }
  // Each value has passed the schema of its row, which is what the type says.
  const chosen = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
  const settings = withDefaults(chosen as Partial<Settings>);
  checkTogether(settings, (name) => given.get(name)?.origin);

  let users = (chosen.users ?? []) as readonly UserEntry[];
  if (settings.usersFile !== undefined) {
    if (given.has("users")) {
      throw new ConfigError(
        `users stands in ${given.get("users")!.origin}, but ${given.get("usersFile")!.origin} names a users file too; only one of them may.`,
        "usersFile",
      );
    }
    users = readUsersFile(readFile, settings.usersFile, given.get("usersFile")!.origin);
  }
  checkUserNames(users);
  const config: Config = { ...settings, users };
  checkExposure(config);
  return config;
}

export { ConfigError };
