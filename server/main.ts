#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { CommandFailure } from "./cli/command-failure.ts";
import { runCli } from "./cli/run.ts";
import type { Config } from "./config.ts";
import { backupDirectory } from "./embedded/store/lmdb/backup.ts";
import { checkDirectory } from "./embedded/store/lmdb/check/check-directory.ts";
import { StoreError } from "./embedded/store/store.ts";
import { createLogger } from "./log.ts";
import { startBroker } from "./start-broker.ts";
import { version } from "./version.ts";

/** The broker could not start: the directory is locked, the address is taken, … */
const startFailureExitCode = 1;
/** A commit failed. Nothing of it was confirmed; a restart recovers. */
const storeFailureExitCode = 70;
/** One press of Ctrl-C can come as two signals, from the terminal and from npm. */
const sameSignalMs = 500;

async function serve(config: Config): Promise<void> {
  const log = createLogger(config);
  const running = await startBroker({
    config,
    log,
    onFailure: (error) => {
      log.fatal({ err: error }, "the store failed: nothing can be confirmed any more, stopping");
      process.exit(storeFailureExitCode);
    },
  }).catch((error: unknown) => {
    log.fatal(
      isExpected(error) ? { code: error.code } : { err: error },
      `the broker cannot start: ${(error as Error).message}`,
    );
    process.exit(startFailureExitCode);
  });
  log.info(
    { url: running.url, data: config.memory ? "memory" : config.dataDir, version },
    "posthorn is listening",
  );
  const login = config.users.length > 0 ? `, { user: "…", password: "…" }` : "";
  log.info(
    `publish a first message: node -e 'import("posthorn").then(async ({ connect }) => { ` +
      `const posthorn = await connect("${running.url}"${login}); const queue = await posthorn.queue("hello").declare(); ` +
      `await queue.publish("hello, world"); await posthorn.close(); })'`,
  );
  const signal = await firstSignal((again) => {
    log.warn({ signal: again }, "stopping at once: clients are cut off; what was confirmed is safe");
    process.exit(128 + constants.signals[again]);
  });
  log.info({ signal }, "stopping; another signal stops at once");
  await running.stop();
  log.info("stopped");
}

type StopSignal = "SIGTERM" | "SIGINT";

/** Resolves to the first; calls `onSecond` with the one that comes some time later. */
function firstSignal(onSecond: (signal: StopSignal) => void): Promise<StopSignal> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    const hear = (signal: StopSignal) => {
      firstAtMs ??= performance.now();
      resolve(signal);
      if (performance.now() - firstAtMs >= sameSignalMs) onSecond(signal);
    };
    process.on("SIGTERM", hear);
    process.on("SIGINT", hear);
  });
}

function isExpected(error: unknown): error is { code: string } {
  return error instanceof StoreError || (error as NodeJS.ErrnoException).syscall === "listen";
}

/** What the store refuses is what the command says. */
function refusal(error: unknown): never {
  throw error instanceof StoreError ? new CommandFailure(error.message) : error;
}

process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  readFile: (path) => readFileSync(path, "utf8"),
  version,
  serve,
  checkStore: (directory, options) => checkDirectory(directory, options).catch(refusal),
  backupStore: (directory, target, options) => backupDirectory(directory, target, options).catch(refusal),
});
