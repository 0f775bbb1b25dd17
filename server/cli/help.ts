import { describeDefault } from "../config/describe.ts";
import { settingGroups } from "../config/setting.ts";
import { flagName, settingNames, settingOf } from "../config/settings.ts";

const overview = `Usage: posthorn <command>

Commands:
  serve            run the broker
  check            verify a data directory, and repair it
  backup           copy a data directory, while the broker runs or not
  hash-password    make the password hash of a user
  help [command]   show this, or more about a command

Options:
  --version, -v    show the version
  --help, -h       show help
`;

const hashPassword = `Usage: posthorn hash-password

Asks for a password, without showing it, and prints its hash for the list of users:

  { "users": [{ "name": "shop", "passwordHash": "scrypt$…" }] }

The list stands in the config file, or in a file of its own named by --users-file.
From a script, pipe the password in: printf %s "$PASSWORD" | posthorn hash-password
`;

const check = `Usage: posthorn check DATA_DIR [--repair] [--json]

Verifies everything that is stored in DATA_DIR. The broker must be stopped. Nothing is changed, unless asked for:

  --repair   saves what can be saved into a new file and says what could not be. The old file is kept beside it, as
             store.mdb.before-repair. What is sound is left as it is.
  --json     prints the result as one JSON object.

Exit codes: 0 sound (or sound after the repair), 3 problems found, 1 not checked or not repaired.
`;

const backup = `Usage: posthorn backup DATA_DIR TARGET_DIR [--no-verify]

Copies what is stored in DATA_DIR into TARGET_DIR, which must be empty or not exist. The broker may run meanwhile. The copy
holds everything that was confirmed before, appears whole or not at all, and is checked.

  --no-verify   does not check the copy.

To restore, start the broker with --data-dir on the copy, or on a copy of it.
Exit codes: 0 done, 1 failed.
`;

const serveIntroduction = `Usage: posthorn serve [flags]

Runs the broker. Each setting is a flag, a variable or a key of the JSON config file, in this order of precedence:
--max-message-bytes 1MiB, POSTHORN_MAX_MESSAGE_BYTES=1MiB, { "maxMessageBytes": "1MiB" }.
Durations are written like "30s" or in milliseconds, sizes like "16MiB" or in bytes.

  --config FILE
        Config file, also POSTHORN_CONFIG. Users stand in it too.
`;

const placeholders = {
  text: "TEXT",
  "optional-path": "FILE",
  choice: "WORD",
  choices: "WORD,…",
  switch: "",
  origins: "ORIGIN,…",
  integer: "NUMBER",
  bytes: "SIZE",
  duration: "DURATION",
} as const;

function serveHelp(): string {
  let text = serveIntroduction;
  for (const [group, title] of Object.entries(settingGroups)) {
    text += `\n${title}:\n`;
    for (const name of settingNames) {
      const setting = settingOf(name);
      if (setting.group !== group) continue;
      const value = setting.kind === "choice" ? setting.choices.join("|") : placeholders[setting.kind];
      const head = `  --${flagName(name)} ${value}`.trimEnd();
      text += `${head}\n        ${setting.help} Default: ${describeDefault(setting)}.\n`;
    }
  }
  return text;
}

/** The help on a command, or `undefined` if there is no such command. Without a command, what commands there are. */
export function helpText(command?: string): string | undefined {
  switch (command) {
    case undefined:
    case "help":
      return overview;
    case "serve":
      return serveHelp();
    case "check":
      return check;
    case "backup":
      return backup;
    case "hash-password":
      return hashPassword;
    default:
      return undefined;
  }
}
