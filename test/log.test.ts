import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import type { Config } from "../server/config.ts";
import type { Logger } from "../server/log.ts";
import { createLogger } from "../server/log.ts";

function logged(format: Config["logFormat"], isTerminal: boolean, write: (log: Logger) => void): string {
  const stream = new PassThrough();
  write(createLogger({ logLevel: "info", logFormat: format, stream, isTerminal }));
  return stream.read()?.toString() ?? "";
}

const listening = (log: Logger) => log.info({ url: "ws://127.0.0.1:5680" }, "listening");

test("JSON has one object a line, with level and time as text", () => {
  const text = logged("json", true, (log) => {
    listening(log);
    log.warn("second");
  });
  const [first, second, end] = text.split("\n");
  expect(JSON.parse(first!)).toEqual({
    level: "info",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    url: "ws://127.0.0.1:5680",
    msg: "listening",
  });
  expect(JSON.parse(second!)).toMatchObject({ level: "warn", msg: "second" });
  expect(end).toBe("");
});

test("pretty has one readable line an event", () => {
  expect(logged("pretty", false, listening)).toMatch(
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: listening \{"url":"ws:\/\/127\.0\.0\.1:5680"\}\n$/,
  );
});

test("auto is pretty with colours on a terminal and JSON elsewhere", () => {
  expect(logged("auto", true, listening)).toContain("\u001b[32mINFO");
  expect(JSON.parse(logged("auto", false, listening))).toMatchObject({ msg: "listening" });
});

test("events below the level are not logged", () => {
  expect(logged("json", false, (log) => log.debug("detail"))).toBe("");
});

test.each(["json", "pretty"] as const)("passwords are never in the log (%s)", (format) => {
  const text = logged(format, false, (log) => {
    log.info({ password: "hunter2", user: { passwordHash: "hunter2" } }, "one");
    log.info({ frame: { credentials: { user: "shop", password: "hunter2" } } }, "two");
    log.info({ request: { headers: { authorization: "hunter2" } } }, "three");
  });
  expect(text).toContain("three");
  expect(text).not.toContain("hunter2");
});

test.each(["json", "pretty"] as const)(
  "text from clients cannot add lines or colours of its own (%s)",
  (format) => {
    const text = "a\nINFO: b\r\u001b[31m";
    for (const field of ["queue", "name", "hostname", "pid", "caller"]) {
      const line = logged(format, false, (log) => log.info({ [field]: text }, `declared ${text}`));
      expect(line, field).toContain("INFO: b");
      for (const control of ["\n", "\r", "\u001b"]) expect(line.trimEnd(), field).not.toContain(control);
    }
  },
);

test("quotes in a message are shown as they are", () => {
  expect(logged("pretty", false, (log) => log.info('declared "orders"'))).toContain(
    'INFO: declared "orders"\n',
  );
});

test("an error is shown with its stack, but without colours of its own", () => {
  const text = logged("pretty", false, (log) => log.error({ err: new Error("boom \u001b[31m") }, "failed"));
  expect(text).toContain("ERROR: failed");
  expect(text).toContain("boom");
  expect(text).toMatch(/at .*log\.test\.ts/);
  expect(text).not.toContain("\u001b");
});
