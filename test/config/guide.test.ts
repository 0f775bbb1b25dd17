import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeDefault } from "../../server/config/describe.ts";
import { settingGroups } from "../../server/config/setting.ts";
import { flagName, settingNames, settingOf, variableName } from "../../server/config/settings.ts";

const guide = readFileSync(new URL("../../docs/guides/configuration.md", import.meta.url), "utf8");

test("the guide lists every setting with its names, default and meaning, under its heading", () => {
  for (const [group, title] of Object.entries(settingGroups)) {
    const rows = settingNames
      .filter((name) => settingOf(name).group === group)
      .map((name) => {
        const setting = settingOf(name);
        const names = `\`${name}\` | \`--${flagName(name)}\` | \`${variableName(name)}\``;
        return `| ${names} | \`${describeDefault(setting)}\` | ${setting.help} |\n`;
      });
    const head = "| key in the file | flag | variable | default | meaning |\n|---|---|---|---|---|\n";
    expect(guide).toContain(`## ${title}\n\n${head}${rows.join("")}`);
  }
});
