/** Runs a broker inside another program: `import { startBroker, loadConfig } from "posthorn/server"`. */
export { type Config, ConfigError, loadConfig } from "./config.ts";
export { createLogger, type Logger } from "./log.ts";
export { type BrokerCounts, type RunningBroker, type StartOptions, startBroker } from "./start-broker.ts";
