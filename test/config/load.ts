import type { Config } from "../../server/config.ts";
import { ConfigError, loadConfig } from "../../server/config.ts";

/** A hash of "correct horse", made once: making one takes time. */
export const someHash =
  "scrypt$N=16384,r=8,p=1$c29tZSBzYWx0IGhlcmU=$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

export interface Given {
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Text, or what is to be written as JSON. */
  readonly files?: Readonly<Record<string, unknown>>;
}

export function load({ argv = [], env = {}, files = {} }: Given): Config {
  return loadConfig({
    argv,
    env,
    readFile(path) {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error("missing"), { code: "ENOENT" });
      return typeof content === "string" ? content : JSON.stringify(content);
    },
  });
}

/** The sentence with which a start is refused. */
export function refusal(given: Given): string {
  try {
    load(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("the settings were accepted");
}
