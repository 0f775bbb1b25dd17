import { expect, test } from "vitest";
import { flagName, settingNames } from "../../server/config/settings.ts";
import { cli } from "./cli-session.ts";

test("serve runs the broker with the settings of flags, variables and config file", async () => {
  const run = await cli(["serve", "--port", "7000"], {
    env: { POSTHORN_CONFIG: "a.json", POSTHORN_LOG_LEVEL: "warn" },
    files: { "a.json": '{"dataDir": "/srv/a", "port": 1}' },
  });
  expect(run.served).toMatchObject({ port: 7000, logLevel: "warn", dataDir: "/srv/a" });
  expect(run).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
});

test("a wrong setting stops the start with one line and exit code 2", async () => {
  const run = await cli(["serve", "--port", "x"]);
  expect(run.served).toBeUndefined();
  expect(run).toMatchObject({
    exitCode: 2,
    stdout: "",
    stderr: 'port from the flag --port is "x"; allowed is a whole number from 0 to 65535.\n',
  });
});

test("a broker that fails is not mistaken for a wrong setting", async () => {
  const failure = new Error("the disk is on fire");
  const serve = () => Promise.reject(failure);
  await expect(cli(["serve"], { serve })).rejects.toBe(failure);
});

test("help lists the commands, help on serve every flag", async () => {
  for (const argv of [["help"], ["--help"], ["-h"], ["help", "help"]]) {
    const { exitCode, stdout } = await cli(argv);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/serve.*hash-password.*help/s);
  }
  for (const argv of [
    ["help", "serve"],
    ["serve", "--help"],
    ["serve", "--port", "x", "-h"],
  ]) {
    const { exitCode, stdout, served } = await cli(argv);
    expect({ exitCode, served }).toEqual({ exitCode: 0, served: undefined });
    for (const name of settingNames) expect(stdout).toContain(`--${flagName(name)}`);
    expect(stdout).toContain("--max-message-bytes SIZE\n        Body of one message. Default: 16MiB.");
  }
  expect((await cli(["help", "hash-password"])).stdout).toContain("passwordHash");
  expect((await cli(["hash-password", "--help"])).stdout).toContain("passwordHash");
});

test("--version prints the version", async () => {
  expect(await cli(["--version"])).toMatchObject({ exitCode: 0, stdout: "1.2.3\n" });
  expect(await cli(["-v"])).toMatchObject({ exitCode: 0, stdout: "1.2.3\n" });
});

test("an unknown command gets the help, the nearest command and exit code 2", async () => {
  for (const argv of [["server"], ["help", "server"]]) {
    const { exitCode, stdout, stderr } = await cli(argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain('There is no command "server"; did you mean serve?\n\nUsage: posthorn');
  }
});

test("no command at all gets the help and exit code 2", async () => {
  const { exitCode, stdout, stderr } = await cli([]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  expect(stderr).toContain("Usage: posthorn <command>");
});
