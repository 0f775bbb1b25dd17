import { totalmem } from "node:os";
import { describe, expect, test } from "vitest";
import type { SettingName } from "../../server/config/settings.ts";
import { flagName, settingNames, settingOf, variableName } from "../../server/config/settings.ts";
import { load, refusal } from "./load.ts";

/** For each setting three values, each as text and as it is to be read. */
const samples: Record<SettingName, readonly (readonly [text: string, value: unknown])[]> = {
  host: [
    ["localhost", "localhost"],
    ["127.0.0.2", "127.0.0.2"],
    ["::1", "::1"],
  ],
  port: [
    ["0", 0],
    ["65535", 65_535],
    ["8080", 8080],
  ],
  shutdownTimeoutMs: [
    ["1s", 1000],
    ["250", 250],
    ["2m", 120_000],
  ],
  dataDir: [
    ["/srv/posthorn", "/srv/posthorn"],
    ["a", "a"],
    ["./b c", "./b c"],
  ],
  memory: [
    ["true", true],
    ["false", false],
    ["1", true],
  ],
  queueMemoryBytes: [
    ["1MiB", 1_048_576],
    ["64kB", 64_000],
    ["2048", 2048],
  ],
  memoryBudgetBytes: [
    ["1GiB", 1_073_741_824],
    ["300MB", 300_000_000],
    ["8388608", 8_388_608],
  ],
  maxUncommittedBytes: [
    ["1MiB", 1_048_576],
    ["100kB", 100_000],
    ["70000", 70_000],
  ],
  minFreeDiskBytes: [
    ["0", 0],
    ["1GiB", 1_073_741_824],
    ["64MiB", 67_108_864],
  ],
  maxMemoryBytes: [
    ["0", 0],
    ["2GiB", 2_147_483_648],
    ["500MB", 500_000_000],
  ],
  logLevel: [
    ["debug", "debug"],
    ["silent", "silent"],
    ["warn", "warn"],
  ],
  logFormat: [
    ["json", "json"],
    ["pretty", "pretty"],
    ["json", "json"],
  ],
  allowedOrigins: [
    ["https://a.example, http://b.example:8080", ["https://a.example", "http://b.example:8080"]],
    ["*", ["*"]],
    ["null,capacitor://localhost", ["null", "capacitor://localhost"]],
  ],
  usersFile: [
    ["one.json", "one.json"],
    ["two.json", "two.json"],
    ["three.json", "three.json"],
  ],
  maxUnauthenticatedPerIp: [
    ["1", 1],
    ["2", 2],
    ["3", 3],
  ],
  helloTimeoutMs: [
    ["500ms", 500],
    ["1.5s", 1500],
    ["60000", 60_000],
  ],
  maxMessageBytes: [
    ["1MiB", 1_048_576],
    ["64kB", 64_000],
    ["2048", 2048],
  ],
  maxHeaderBytes: [
    ["1KiB", 1024],
    ["16 KiB", 16_384],
    ["5000", 5000],
  ],
  maxFrameBytes: [
    ["32MiB", 33_554_432],
    ["20MB", 20_000_000],
    ["17000000", 17_000_000],
  ],
  outboundHighWaterBytes: [
    ["2MiB", 2_097_152],
    ["64kB", 64_000],
    ["2048", 2048],
  ],
  outboundMaxBytes: [
    ["2MiB", 2_097_152],
    ["64mb", 64_000_000],
    ["2048", 2048],
  ],
  maxConnections: [
    ["1", 1],
    ["2", 2],
    ["3", 3],
  ],
  maxConnectionsPerIp: [
    ["1", 1],
    ["2", 2],
    ["3", 3],
  ],
  heartbeatMs: [
    ["1s", 1000],
    ["1h", 3_600_000],
    ["5000", 5000],
  ],
  maxPrefetch: [
    ["1000", 1000],
    ["200", 200],
    ["1", 1],
  ],
  defaultPrefetch: [
    ["1", 1],
    ["65535", 65_535],
    ["10", 10],
  ],
  maxPrefetchBytes: [
    ["1GiB", 1024 ** 3],
    ["128MiB", 128 * 1024 ** 2],
    ["1024", 1024],
  ],
  defaultPrefetchBytes: [
    ["1", 1],
    ["128MiB", 128 * 1024 ** 2],
    ["10KiB", 10 * 1024],
  ],
  maxConsumersPerSession: [
    ["1", 1],
    ["2", 2],
    ["3", 3],
  ],
  slowConsumer: [
    ["conflate", "conflate"],
    ["pause", "pause"],
    ["close", "close"],
  ],
  slowConsumerAllowed: [
    ["pause", ["pause"]],
    ["pause,conflate", ["pause", "conflate"]],
    ["close, pause", ["close", "pause"]],
  ],
  slowConsumerTimeoutMs: [
    ["1s", 1000],
    ["1h", 3_600_000],
    ["5000", 5000],
  ],
  reconnectsPerSecond: [
    ["1", 1],
    ["200", 200],
    ["3", 3],
  ],
  maxQueues: [
    ["1", 1],
    ["2", 2],
    ["3", 3],
  ],
  maxExchanges: [
    ["1", 1],
    ["2", 2],
    ["3", 3],
  ],
  maxBindingsPerQueue: [
    ["1", 1],
    ["2", 2],
    ["3", 3],
  ],
  maxPolicies: [
    ["1", 1],
    ["2", 2],
    ["3", 3],
  ],
};

const usersFiles = { "one.json": { users: [] }, "two.json": { users: [] }, "three.json": { users: [] } };

/** A value as a person writes it into a JSON file: quantities with a unit as text, everything else as its own type. */
function inFile(name: SettingName, text: string, value: unknown): unknown {
  const { kind } = settingOf(name);
  return kind === "bytes" || kind === "duration" ? text : value;
}

describe.each(settingNames)("%s", (name) => {
  const [[flagText, flagValue], [variableText, variableValue], [fileText, fileValue]] = samples[name] as [
    [string, unknown],
    [string, unknown],
    [string, unknown],
  ];
  const flag = { argv: [`--${flagName(name)}=${flagText}`] };
  const variable = { env: { [variableName(name)]: variableText } };
  const files = { ...usersFiles, "posthorn.json": { [name]: inFile(name, fileText, fileValue) } };
  const fromFile = { POSTHORN_CONFIG: "posthorn.json" };

  test("is read from a flag, a variable and the config file", () => {
    expect(load({ ...flag, files: usersFiles })[name]).toEqual(flagValue);
    expect(load({ ...variable, files: usersFiles })[name]).toEqual(variableValue);
    expect(load({ env: fromFile, files })[name]).toEqual(fileValue);
  });

  test("prefers the flag to the variable, the variable to the file, and the file to the default", () => {
    const env = { ...variable.env, ...fromFile };
    expect(load({ ...flag, env, files })[name]).toEqual(flagValue);
    expect(load({ env, files })[name]).toEqual(variableValue);
    expect(load({ env: fromFile, files })[name]).not.toEqual(load({})[name]);
  });

  test("with a wrong type in the config file is refused in a sentence that names setting, file and what is allowed", () => {
    const sentence = refusal({ env: fromFile, files: { "posthorn.json": { [name]: { not: "this" } } } });
    expect(sentence).toContain(`${name} from the file posthorn.json is {"not":"this"}; allowed is `);
  });

  const setting = settingOf(name);
  if ("minimum" in setting) {
    test("may be a plain number in the config file", () => {
      expect(load({ env: fromFile, files: { "posthorn.json": { [name]: fileValue } } })[name]).toBe(
        fileValue,
      );
    });

    test("is refused outside its bounds, by flag and by variable, and accepted at them", () => {
      for (const bound of [setting.minimum - 1, setting.maximum + 1]) {
        const byFlag = refusal({ argv: [`--${flagName(name)}`, String(bound)] });
        expect(byFlag).toContain(`${name} from the flag --${flagName(name)} is `);
        const byVariable = refusal({ env: { [variableName(name)]: String(bound) } });
        expect(byVariable).toMatch(
          new RegExp(`^${name} from the variable ${variableName(name)} is .*; allowed is `),
        );
      }
    });

    test("is refused when it is no number, and shown as it was written", () => {
      const sentence = refusal({ argv: [`--${flagName(name)}=plenty`] });
      expect(sentence).toContain(`is "plenty"; allowed is `);
    });
  }
});

test("the defaults are those of the table, and what follows others follows them", () => {
  const config = load({});
  expect(config).toMatchObject({
    host: "127.0.0.1",
    port: 5680,
    dataDir: "./data",
    memory: false,
    usersFile: undefined,
    users: [],
    allowedOrigins: [],
    maxMessageBytes: 16 * 1024 * 1024,
    maxFrameBytes: 16 * 1024 * 1024 + 128 * 1024,
    defaultPrefetch: 100,
    minFreeDiskBytes: 512 * 1024 * 1024,
  });
  const { maxMemoryBytes } = config;
  expect(maxMemoryBytes).toBeGreaterThan(0);
  expect(maxMemoryBytes).toBeLessThanOrEqual(Math.min(4 * 1024 ** 3, 0.4 * totalmem()));
  const small = load({
    argv: ["--max-message-bytes", "1MiB", "--max-prefetch", "10", "--outbound-max-bytes", "4KiB"],
  });
  expect(small).toMatchObject({
    maxFrameBytes: 1024 * 1024 + 128 * 1024,
    defaultPrefetch: 10,
    outboundHighWaterBytes: 4096,
  });
});
