import { formatBytes, formatDuration } from "./quantity.ts";
import type { NumberSetting, Setting } from "./setting.ts";

/** A number as a person writes it: with its unit. */
export function formatNumber(kind: NumberSetting["kind"], value: number): string {
  if (kind === "bytes") return formatBytes(value);
  if (kind === "duration") return formatDuration(value);
  return String(value);
}

function describeNumber(kind: NumberSetting["kind"], value: NumberSetting["default"]): string {
  if (typeof value === "number") return formatNumber(kind, value);
  if ("sumOf" in value) return [...value.sumOf, formatNumber(kind, value.plus)].join(" + ");
  return `${value.ofMemory * 100}% of memory, at most ${formatNumber(kind, value.atMost)}`;
}

/** What the help and the guide show as a setting's default. */
export function describeDefault(setting: Setting): string {
  switch (setting.kind) {
    case "optional-path":
      return "none";
    case "origins":
    case "choices":
      return setting.default.length === 0 ? "none" : setting.default.join(",");
    case "integer":
    case "bytes":
    case "duration":
      return describeNumber(setting.kind, setting.default);
    default:
      return String(setting.default);
  }
}

/** What a setting may be; completes the sentence "allowed is …". */
export function describeAllowed(setting: Setting): string {
  switch (setting.kind) {
    case "text":
      return setting.format === "host"
        ? "a host name or an IP address, without scheme, port or brackets"
        : "any text but an empty one";
    case "optional-path":
      return "the path of a file";
    case "choice":
      return `one of ${setting.choices.join(", ")}`;
    case "choices":
      return `some of ${setting.choices.join(", ")}`;
    case "switch":
      return "true or false";
    case "origins":
      return 'origins as browsers send them, such as "https://app.example" (lower case, no path, no default port), "null" or "*"';
    default: {
      const range = `from ${formatNumber(setting.kind, setting.minimum)} to ${formatNumber(setting.kind, setting.maximum)}`;
      if (setting.kind === "bytes") return `a size ${range}, such as "16MiB", "64kB" or plain bytes`;
      if (setting.kind === "duration")
        return `a duration ${range}, such as "30s", "500ms" or plain milliseconds`;
      return `a whole number ${range}`;
    }
  }
}
