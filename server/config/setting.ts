/** Where a setting is listed in the help and in the guide. */
export const settingGroups = {
  listening: "Listening",
  storage: "Storage and memory",
  logging: "Logging",
  access: "Access",
  sizes: "Sizes",
  connections: "Connections",
  topology: "Counts",
} as const;

interface CommonSetting {
  readonly group: keyof typeof settingGroups;
  /** What the setting does, in a sentence or two: the help text, the guide and the documentation of {@link Config}. */
  readonly help: string;
}

export interface TextSetting extends CommonSetting {
  readonly kind: "text";
  readonly default: string;
  /** Name of a format in schema.ts. */
  readonly format?: "host";
}

/** A file that need not be given. */
export interface OptionalPathSetting extends CommonSetting {
  readonly kind: "optional-path";
}

export interface ChoiceSetting extends CommonSetting {
  readonly kind: "choice";
  readonly choices: readonly string[];
  readonly default: string;
  /** The setting must be among those of that other one. */
  readonly among?: string;
}

/** Several of a few words, at least one. */
export interface ChoicesSetting extends CommonSetting {
  readonly kind: "choices";
  readonly choices: readonly string[];
  readonly default: readonly string[];
}

export interface SwitchSetting extends CommonSetting {
  readonly kind: "switch";
  readonly default: boolean;
}

export interface OriginListSetting extends CommonSetting {
  readonly kind: "origins";
  readonly default: readonly string[];
}

/** A default that follows other settings. */
export interface SumOfSettings {
  readonly sumOf: readonly string[];
  readonly plus: number;
}

/** A default that follows the memory of the machine, or of the container. */
export interface ShareOfMemory {
  readonly ofMemory: number;
  readonly atMost: number;
}

export interface NumberSetting extends CommonSetting {
  /** `bytes` and `duration` (milliseconds) may be written with a unit. */
  readonly kind: "integer" | "bytes" | "duration";
  readonly default: number | SumOfSettings | ShareOfMemory;
  readonly minimum: number;
  readonly maximum: number;
  /** The setting may not be larger than that other one; its default shrinks with it. */
  readonly atMost?: string;
  /** The setting may not be smaller than the sum of these others. */
  readonly atLeastSumOf?: readonly string[];
}

/** One row of the table in settings.ts. */
export type Setting =
  | TextSetting
  | OptionalPathSetting
  | ChoiceSetting
  | ChoicesSetting
  | SwitchSetting
  | OriginListSetting
  | NumberSetting;

/** The type of a setting's value, once read. */
export type SettingValue<S extends Setting> = S extends ChoiceSetting
  ? S["choices"][number]
  : S extends ChoicesSetting
    ? readonly S["choices"][number][]
    : S extends SwitchSetting
      ? boolean
      : S extends OriginListSetting
        ? readonly string[]
        : S extends NumberSetting
          ? number
          : S extends OptionalPathSetting
            ? string | undefined
            : string;
