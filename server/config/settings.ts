import type { Setting, SettingValue } from "./setting.ts";

const kiB = 1024;
const miB = 1024 * kiB;
const giB = 1024 * miB;
const seconds = 1000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

/**
 * Every setting of the broker. From a row follow its flag (`--max-message-bytes`), its environment variable
 * (`POSTHORN_MAX_MESSAGE_BYTES`), its key in the config file (`maxMessageBytes`), its JSON schema, its line in
 * `posthorn help serve`, and its property of `Config`. The guide's table is tested against it.
 */
export const settings = {
  host: {
    group: "listening",
    kind: "text",
    format: "host",
    default: "127.0.0.1",
    help: "Address to listen on. Anything but loopback needs users.",
  },
  port: {
    group: "listening",
    kind: "integer",
    default: 5680,
    minimum: 0,
    maximum: 65_535,
    help: "Port to listen on; 0 takes any free one.",
  },
  shutdownTimeoutMs: {
    group: "listening",
    kind: "duration",
    default: 10 * seconds,
    minimum: 0,
    maximum: 10 * minutes,
    help: "How long a stop waits for clients to leave before it closes what is left.",
  },

  dataDir: {
    group: "storage",
    kind: "text",
    default: "./data",
    help: "Directory of the durable queues; made if missing. One broker at a time.",
  },
  memory: {
    group: "storage",
    kind: "switch",
    default: false,
    help: "Keep everything in memory and nothing on disk, for tests and demos. dataDir is not used.",
  },
  queueMemoryBytes: {
    group: "storage",
    kind: "bytes",
    default: 8 * miB,
    minimum: kiB,
    maximum: 4 * giB,
    atMost: "memoryBudgetBytes",
    help: "Messages that one queue keeps in memory before it pages them to disk; less when more than half of memoryBudgetBytes is used.",
  },
  memoryBudgetBytes: {
    group: "storage",
    kind: "bytes",
    default: 256 * miB,
    minimum: miB,
    maximum: 1024 * giB,
    help: "Messages that all queues together keep in memory.",
  },
  maxUncommittedBytes: {
    group: "storage",
    kind: "bytes",
    default: 64 * miB,
    minimum: 64 * kiB,
    maximum: 16 * giB,
    help: "Published bytes that may wait for the disk before publishers are held back.",
  },
  minFreeDiskBytes: {
    group: "storage",
    kind: "bytes",
    default: 512 * miB,
    minimum: 0,
    maximum: 1024 * giB,
    help: "Room kept free on the disk, but never more than a tenth of it (or 4 MiB); with less, publishes that need the disk are refused. 0: not watched.",
  },
  maxMemoryBytes: {
    group: "storage",
    kind: "bytes",
    default: { ofMemory: 0.4, atMost: 4 * giB },
    minimum: 0,
    maximum: 1024 * giB,
    help: "Memory of the broker's process above which publishes are refused; LMDB's map does not count. 0: not watched.",
  },

  logLevel: {
    group: "logging",
    kind: "choice",
    choices: ["trace", "debug", "info", "warn", "error", "silent"],
    default: "info",
    help: "The least important events that are logged.",
  },
  logFormat: {
    group: "logging",
    kind: "choice",
    choices: ["auto", "pretty", "json"],
    default: "auto",
    help: "auto is pretty on a terminal and JSON, one object a line, otherwise.",
  },

  allowedOrigins: {
    group: "access",
    kind: "origins",
    default: [],
    help: 'Origins of pages that may connect, besides pages from the broker\'s own address. "*" allows every page.',
  },
  usersFile: {
    group: "access",
    kind: "optional-path",
    help: "JSON file with the users, instead of users in the config file.",
  },
  maxUnauthenticatedPerIp: {
    group: "access",
    kind: "integer",
    default: 64,
    minimum: 1,
    maximum: 1_000_000,
    help: "Connections from one address that have not said hello yet.",
  },
  helloTimeoutMs: {
    group: "access",
    kind: "duration",
    default: 5 * seconds,
    minimum: 50,
    maximum: 5 * minutes,
    help: "How long a new connection may take to say hello.",
  },

  maxMessageBytes: {
    group: "sizes",
    kind: "bytes",
    default: 16 * miB,
    minimum: kiB,
    maximum: 256 * miB,
    help: "Body of one message.",
  },
  maxHeaderBytes: {
    group: "sizes",
    kind: "bytes",
    default: 64 * kiB,
    minimum: kiB,
    maximum: 16 * miB,
    help: "Properties and headers of one message.",
  },
  maxFrameBytes: {
    group: "sizes",
    kind: "bytes",
    default: { sumOf: ["maxMessageBytes", "maxHeaderBytes"], plus: 64 * kiB },
    minimum: 2 * kiB,
    maximum: 512 * miB,
    atLeastSumOf: ["maxMessageBytes", "maxHeaderBytes"],
    help: "One WebSocket message from a client, which may hold many frames.",
  },
  outboundHighWaterBytes: {
    group: "sizes",
    kind: "bytes",
    default: miB,
    minimum: kiB,
    maximum: giB,
    atMost: "outboundMaxBytes",
    help: "Bytes waiting for one client at which its deliveries pause.",
  },
  outboundMaxBytes: {
    group: "sizes",
    kind: "bytes",
    default: 8 * miB,
    minimum: kiB,
    maximum: giB,
    help: "Bytes waiting for one client at which the broker reads nothing more from it.",
  },

  maxConnections: {
    group: "connections",
    kind: "integer",
    default: 20_000,
    minimum: 1,
    maximum: 10_000_000,
    help: "Connections at a time.",
  },
  maxConnectionsPerIp: {
    group: "connections",
    kind: "integer",
    default: 1000,
    minimum: 1,
    maximum: 10_000_000,
    help: "Connections at a time from one address.",
  },
  heartbeatMs: {
    group: "connections",
    kind: "duration",
    default: 20 * seconds,
    minimum: seconds,
    maximum: hours,
    help: "Heartbeat interval that the broker proposes; two missed ones end a connection.",
  },
  maxPrefetch: {
    group: "connections",
    kind: "integer",
    default: 65_535,
    minimum: 1,
    maximum: 65_535,
    help: "The largest prefetch of one consumer.",
  },
  defaultPrefetch: {
    group: "connections",
    kind: "integer",
    default: 100,
    minimum: 1,
    maximum: 65_535,
    atMost: "maxPrefetch",
    help: "Prefetch of a consumer that names none.",
  },
  maxPrefetchBytes: {
    group: "connections",
    kind: "bytes",
    default: 256 * miB,
    minimum: kiB,
    maximum: 64 * giB,
    help: "The most bytes of unsettled messages that a consumer may ask for.",
  },
  defaultPrefetchBytes: {
    group: "connections",
    kind: "bytes",
    default: 32 * miB,
    minimum: 1,
    maximum: 64 * giB,
    atMost: "maxPrefetchBytes",
    help: "Bytes of unsettled messages of a consumer that names no limit.",
  },
  maxConsumersPerSession: {
    group: "connections",
    kind: "integer",
    default: 1000,
    minimum: 1,
    maximum: 1_000_000,
    help: "Consumers of one client.",
  },

  slowConsumer: {
    group: "connections",
    kind: "choice",
    choices: ["pause", "conflate", "close"],
    default: "pause",
    among: "slowConsumerAllowed",
    help: "What happens to a consumer whose client reads too slowly, unless it asks for something else; conflate concerns noAck only.",
  },
  slowConsumerAllowed: {
    group: "connections",
    kind: "choices",
    choices: ["pause", "conflate", "close"],
    default: ["pause", "conflate", "close"],
    help: "What a consumer may ask for instead.",
  },
  slowConsumerTimeoutMs: {
    group: "connections",
    kind: "duration",
    default: 30 * seconds,
    minimum: 100,
    maximum: hours,
    help: "How long a client may stay behind before it is disconnected: by close, and when it is over outboundMaxBytes.",
  },
  reconnectsPerSecond: {
    group: "connections",
    kind: "integer",
    default: 1000,
    minimum: 1,
    maximum: 1_000_000,
    help: "Clients a second that are asked to come back after a stop or an overload.",
  },

  maxQueues: {
    group: "topology",
    kind: "integer",
    default: 100_000,
    minimum: 1,
    maximum: 10_000_000,
    help: "Queues in the broker.",
  },
  maxExchanges: {
    group: "topology",
    kind: "integer",
    default: 10_000,
    minimum: 1,
    maximum: 10_000_000,
    help: "Exchanges in the broker, besides the predeclared ones.",
  },
  maxBindingsPerQueue: {
    group: "topology",
    kind: "integer",
    default: 1000,
    minimum: 1,
    maximum: 1_000_000,
    help: "Bindings that lead to one queue, or to one exchange.",
  },
  maxPolicies: {
    group: "topology",
    kind: "integer",
    default: 200,
    minimum: 1,
    maximum: 10_000,
    help: "Policies in the broker.",
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

/** The values of all settings, as read. */
export type Settings = { readonly [N in SettingName]: SettingValue<(typeof settings)[N]> };

export const settingNames = Object.keys(settings) as SettingName[];

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settings, name);
}

/** The table's row, with the type that all rows share. */
export function settingOf(name: SettingName): Setting {
  return settings[name];
}

/** `maxMessageBytes` → `max-message-bytes`: the flag without its dashes. */
export function flagName(setting: string): string {
  return setting.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`);
}

/** `maxMessageBytes` → `POSTHORN_MAX_MESSAGE_BYTES`. */
export function variableName(setting: string): string {
  return `POSTHORN_${flagName(setting).replaceAll("-", "_").toUpperCase()}`;
}
