import { describe, expect, test } from "vitest";
import { verifyPassword } from "../../server/broker/password-hash.ts";
import { cli } from "./cli-session.ts";

describe("from a pipe", () => {
  test.each(["correct horse", "correct horse\n", "correct horse\r\n"])(
    "%j gives the hash of the password",
    async (piped) => {
      const { exitCode, stdout, stderr } = await cli(["hash-password"], { piped });
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(await verifyPassword("correct horse", stdout.trim())).toBe(true);
    },
  );

  test("spaces belong to the password", async () => {
    const { stdout } = await cli(["hash-password"], { piped: " a " });
    expect(await verifyPassword(" a ", stdout.trim())).toBe(true);
    expect(await verifyPassword("a", stdout.trim())).toBe(false);
  });

  test.each([
    ["", "The password is empty.\n"],
    ["\n", "The password is empty.\n"],
    ["a\nb", "The password has a line break or another control character.\n"],
    ["x".repeat(1025), "The password is longer than 1024 characters.\n"],
  ])("%j is refused", async (piped, stderr) => {
    expect(await cli(["hash-password"], { piped })).toMatchObject({ exitCode: 1, stdout: "", stderr });
  });
});

describe("on a terminal", () => {
  test("it is asked for twice and never shown, corrections included", async () => {
    const { exitCode, stdout, stderr } = await cli(["hash-password"], { typed: "horsf\u007fe\rhorse\r" });
    expect(exitCode).toBe(0);
    expect(stderr).toBe("Password: \nAgain: \n");
    expect(await verifyPassword("horse", stdout.trim())).toBe(true);
  });

  test("two different passwords are refused", async () => {
    const run = await cli(["hash-password"], { typed: "horse\rhouse\r" });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toContain("The two passwords differ.");
  });

  test.each([
    ["Ctrl-C", "hor\u0003"],
    ["Ctrl-D", "\u0004"],
  ])("%s gives up", async (_key, typed) => {
    const run = await cli(["hash-password"], { typed });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toContain("No password was given.");
  });
});

test("a password as an argument is refused and not repeated", async () => {
  const run = await cli(["hash-password", "hunter2"]);
  expect(run).toMatchObject({ exitCode: 2, stdout: "" });
  expect(run.stderr).not.toContain("hunter2");
});
