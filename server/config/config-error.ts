/** A setting is wrong and the broker does not start. The message is one sentence for the person who set it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** The setting in question, when there is one: `maxMessageBytes`. */
  readonly setting: string | undefined;

  constructor(message: string, setting?: string) {
    super(message);
    this.setting = setting;
  }
}
