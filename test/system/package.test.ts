import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "posthorn-package-"));

/** Runs a program in the directory that the package is installed in. */
function run(command: string, args: readonly string[], cwd = directory): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

beforeAll(() => {
  run("npm", ["pack", "--silent", "--pack-destination", directory], root);
  const tarball = readdirSync(directory).find((name) => name.endsWith(".tgz")) as string;
  writeFileSync(
    join(directory, "package.json"),
    JSON.stringify({ name: "elsewhere", type: "module", private: true }),
  );
  run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`]);
}, 120_000);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("the installed package holds what runs, its types and its documents, and no sources or tests", () => {
  const installed = join(directory, "node_modules", "posthorn");
  expect(readdirSync(installed).sort()).toEqual([
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "dist",
    "docs",
    "package.json",
  ]);
});

test("its parts can be imported by name", () => {
  const script = `
    const names = {};
    for (const name of ["posthorn", "posthorn/client", "posthorn/protocol", "posthorn/server"]) names[name] = await import(name);
    console.log(JSON.stringify([
      typeof names["posthorn"].connect,
      names["posthorn"].connect === names["posthorn/client"].connect,
      typeof names["posthorn/protocol"].decodeMessageFrames,
      typeof names["posthorn/server"].startBroker,
    ]));`;
  expect(JSON.parse(run(process.execPath, ["--input-type=module", "-e", script]))).toEqual([
    "function",
    true,
    "function",
    "function",
  ]);
});

test("its types are complete for a strict compiler", () => {
  writeFileSync(
    join(directory, "program.ts"),
    `import { connect, PosthornError, type ReceivedMessage } from "posthorn";
     import { type ErrorCode, subprotocol } from "posthorn/protocol";
     import { loadConfig, startBroker } from "posthorn/server";
     const posthorn = await connect("ws://127.0.0.1:1");
     const queue = await posthorn.queue("q").declare({ durable: true });
     for await (const message of queue.consume({ prefetch: 10 })) {
       const received: ReceivedMessage = message;
       received.ack();
     }
     // @ts-expect-error there is no such option
     await queue.declare({ durabel: true });
     const code: ErrorCode = new PosthornError("not-found", "").code;
     console.log(code, subprotocol, loadConfig, startBroker);`,
  );
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const options = [
    "--strict",
    "--noEmit",
    "--module",
    "nodenext",
    "--target",
    "es2023",
    "--skipLibCheck",
    "false",
  ];
  const types = ["--types", "node", "--typeRoots", join(root, "node_modules", "@types")];
  try {
    run(process.execPath, [compiler, ...options, ...types, "program.ts"]);
  } catch (error) {
    expect((error as { stdout: string }).stdout).toBe("");
  }
}, 60_000);

test("its command starts a broker that a program using the package can talk to", async () => {
  const child = spawn(
    "npx",
    ["--no-install", "posthorn", "serve", "--memory", "--port", "0", "--log-format", "json"],
    {
      cwd: directory,
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    },
  );
  try {
    let url = "";
    for await (const line of createInterface({ input: child.stdout })) {
      url = (JSON.parse(line) as { url?: string }).url ?? "";
      if (url !== "") break;
    }
    const script = `
      import { connect } from "posthorn";
      const posthorn = await connect(process.argv[1]);
      const queue = await posthorn.queue("hello").declare();
      await queue.publish("hello, world");
      const message = await queue.get();
      console.log(message.text());
      message.ack();
      await posthorn.close();`;
    expect(run(process.execPath, ["--input-type=module", "-e", script, url])).toBe("hello, world\n");
  } finally {
    // The group: npx starts the broker as a process of its own.
    process.kill(-(child.pid as number), "SIGTERM");
    await once(child, "exit");
  }
});
