import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import { type BrokerProcess, builtMain, startBrokerProcess } from "../support/broker-process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "posthorn-serve-"));
const dataDir = join(directory, "data");
const onAnyPort = ["--port", "0"];
let broker: BrokerProcess;

beforeAll(async () => {
  broker = await startBrokerProcess([...onAnyPort, "--data-dir", dataDir]);
});

afterAll(async () => {
  await broker.kill();
  rmSync(directory, { recursive: true });
});

/** Runs `posthorn serve` where it is expected to end by itself. */
async function serve(...flags: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [builtMain, "serve", "--log-format", "json", ...flags], {
    cwd: directory,
  });
  const [[code], out, err] = await Promise.all([
    once(child, "exit") as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, out, err };
}

describe("a broker that has started", () => {
  test("says where it listens and where its data lies", () => {
    const started = broker.log.find(({ url }) => url !== undefined);
    expect(started).toMatchObject({ level: "info", url: `ws://127.0.0.1:${broker.port}`, data: dataDir });
    expect(existsSync(dataDir)).toBe(true);
  });

  test("says how to publish a first message, and that works as it stands", async () => {
    const hint = () => broker.log.find(({ msg }) => String(msg).startsWith("publish a first message: "))?.msg;
    // The line follows the one with the address.
    await expect.poll(hint).toBeDefined();
    const command = String(hint()).slice("publish a first message: ".length);
    execFileSync("sh", ["-c", command], { cwd: root });
    const posthorn = await connect(broker.url);
    const message = await posthorn.queue("hello").get();
    expect(message?.text()).toBe("hello, world");
    message?.ack();
    await posthorn.close();
  });

  test("takes a message and gives it out", async () => {
    const posthorn = await connect(broker.url);
    const queue = await posthorn.queue("orders").declare();
    expect(await queue.publish({ id: 1 })).toEqual({ confirmed: true });
    const message = await queue.get();
    expect(message?.json()).toEqual({ id: 1 });
    message?.ack();
    await posthorn.close();
  });

  test.each([
    ["/", "text/html", "Posthorn"],
    ["/health", "application/json", '"status":"ok"'],
    ["/client.js", "text/javascript", "export{"],
  ])("serves %s over HTTP", async (path, type, part) => {
    const response = await fetch(`http://127.0.0.1:${broker.port}${path}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toContain(type);
    expect(await response.text()).toContain(part);
  });

  test("has its data directory to itself", async () => {
    const { code, out } = await serve(...onAnyPort, "--data-dir", dataDir);
    expect(code).toBe(1);
    const { level, msg } = JSON.parse(out) as { level: string; msg: string };
    expect(level).toBe("fatal");
    expect(msg).toMatch(/^the broker cannot start: .*in use/i);
    expect(msg).toContain(dataDir);
  });

  test("has its port to itself", async () => {
    const { code, out } = await serve("--memory", "--port", String(broker.port));
    expect(code).toBe(1);
    expect((JSON.parse(out) as { msg: string }).msg).toContain(
      `address already in use 127.0.0.1:${broker.port}`,
    );
  });
});

describe("a broker does not start", () => {
  test.each([
    ["a value out of range", ["--port", "99999"], /^port from the flag --port is 99999; .*65535/],
    ["a setting that does not exist", ["--prot", "1"], /--prot.*--port/],
    [
      "a value of the wrong kind",
      ["--max-message-bytes", "many"],
      /^maxMessageBytes from the flag --max-message-bytes is "many"/,
    ],
    [
      "settings that contradict each other",
      ["--default-prefetch", "9", "--max-prefetch", "8"],
      /^defaultPrefetch /,
    ],
    ["a config file that is not there", ["--config", "missing.json"], /missing\.json/],
  ])("with %s: it says so in a sentence and ends with 2", async (_, flags, sentence) => {
    const { code, out, err } = await serve("--memory", ...flags);
    expect(err).toMatch(sentence);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(out).toBe("");
    expect(code).toBe(2);
  });

  test("on an address that others can reach, as long as it has no users", async () => {
    for (const host of ["0.0.0.0", "::"]) {
      const { code, err } = await serve("--memory", ...onAnyPort, "--host", host);
      expect(code).toBe(2);
      expect(err).toMatch(/^host is .* no users are configured/);
    }
  });
});
