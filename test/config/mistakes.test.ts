import { describe, expect, test } from "vitest";
import { load, refusal, someHash } from "./load.ts";

describe("names that do not exist", () => {
  test("an unknown flag is refused, with the nearest one and without its value", () => {
    const sentence = refusal({ argv: ["--max-mesage-bytes=hunter2"] });
    expect(sentence).toBe("There is no flag --max-mesage-bytes; did you mean --max-message-bytes?");
    expect(refusal({ argv: ["-x"] })).toBe("There is no flag -x.");
    expect(refusal({ argv: ["--constructor", "1"] })).toBe("There is no flag --constructor.");
  });

  test("an unknown POSTHORN_ variable is refused, with the nearest one and without its value", () => {
    const sentence = refusal({ env: { POSTHORN_HOSTS: "hunter2" } });
    expect(sentence).toBe("There is no setting for the variable POSTHORN_HOSTS; did you mean POSTHORN_HOST?");
  });

  test("variables of other programs do not matter", () => {
    expect(load({ env: { PATH: "/bin", PORT: "x", POSTHORNS: "x" } }).port).toBe(5680);
  });

  test("an unknown key in the config file is refused with the nearest one", () => {
    const sentence = refusal({ argv: ["--config", "a.json"], files: { "a.json": { prot: 1 } } });
    expect(sentence).toBe('There is no setting "prot", which stands in the file a.json; did you mean port?');
    const proto = refusal({
      argv: ["--config", "a.json"],
      files: { "a.json": '{"__proto__": {"port": 1}}' },
    });
    expect(proto).toContain('There is no setting "__proto__"');
  });

  test("an argument that is no flag is refused", () => {
    expect(refusal({ argv: ["now"] })).toBe('The argument "now" is not a flag; all settings are flags.');
  });
});

describe("flags and variables", () => {
  test("a flag without a value is refused", () => {
    for (const argv of [["--port"], ["--port="], ["--port", "--memory"]]) {
      expect(refusal({ argv })).toBe("The flag --port needs a value.");
    }
  });

  test("a switch needs no value and may have one", () => {
    expect(load({ argv: ["--memory"] }).memory).toBe(true);
    expect(load({ argv: ["--memory=false"], env: { POSTHORN_MEMORY: "1" } }).memory).toBe(false);
    expect(refusal({ argv: ["--memory=maybe"] })).toContain('is "maybe"; allowed is true or false.');
  });

  test("a flag given twice counts as given last; lists add up", () => {
    expect(load({ argv: ["--port", "1", "--port", "2"] }).port).toBe(2);
    const argv = ["--allowed-origins", "https://a.example", "--allowed-origins", "https://b.example"];
    expect(load({ argv }).allowedOrigins).toEqual(["https://a.example", "https://b.example"]);
  });

  test("an empty variable counts as not set", () => {
    expect(load({ env: { POSTHORN_PORT: "", POSTHORN_CONFIG: "" } }).port).toBe(5680);
  });

  test("a long or unprintable value is shown short and escaped", () => {
    const sentence = refusal({ argv: ["--log-level", `\u001b[31m${"x".repeat(10_000)}`] });
    expect(sentence).toContain('logLevel from the flag --log-level is "\\u001b[31mxxx');
    expect(sentence.length).toBeLessThan(300);
  });
});

describe("values", () => {
  test.each([
    "https://a.example/",
    "https://A.example",
    "https://a.example:443",
    "a.example",
    "https://",
    "",
  ])("%j is refused as an origin, since no browser would send it", (origin) => {
    const files = { "a.json": { allowedOrigins: [origin] } };
    expect(refusal({ argv: ["--config", "a.json"], files })).toContain(
      "allowedOrigins from the file a.json is [",
    );
  });

  test.each(["127.0.0.1:5680", "http://localhost", "[::1]", "a b", "-a"])(
    "%j is refused as a host",
    (host) => {
      expect(refusal({ argv: [`--host=${host}`] })).toContain("allowed is a host name or an IP address");
    },
  );

  test("text where the config file should have a number or a switch is refused", () => {
    expect(refusal({ argv: ["--config", "a.json"], files: { "a.json": { port: "80" } } })).toContain(
      'port from the file a.json is "80"',
    );
    expect(refusal({ argv: ["--config", "a.json"], files: { "a.json": { memory: "true" } } })).toContain(
      "memory from",
    );
  });

  test("a quantity with an unknown unit or a broken number is refused", () => {
    for (const size of ["16M", "1.5B", "-1kB", "1e3", "0x10", "MiB"]) {
      expect(refusal({ argv: [`--max-message-bytes=${size}`] })).toContain(`is "${size}"; allowed is a size`);
    }
  });

  test("a quantity out of bounds is shown with its unit", () => {
    expect(refusal({ argv: ["--heartbeat-ms", "2h"] })).toBe(
      'heartbeatMs from the flag --heartbeat-ms is 2h; allowed is a duration from 1s to 1h, such as "30s", "500ms" or plain milliseconds.',
    );
  });

  test("a wrong value is refused also where another source overrides it", () => {
    expect(refusal({ argv: ["--port", "1"], env: { POSTHORN_PORT: "x" } })).toContain(
      "the variable POSTHORN_PORT",
    );
  });

  test("settings that contradict each other are refused, naming both", () => {
    expect(refusal({ argv: ["--max-prefetch=10"], env: { POSTHORN_DEFAULT_PREFETCH: "20" } })).toBe(
      "defaultPrefetch from the variable POSTHORN_DEFAULT_PREFETCH is 20; allowed is at most maxPrefetch, which is 10.",
    );
    expect(refusal({ argv: ["--max-frame-bytes=1MiB"] })).toContain(
      "allowed is at least maxMessageBytes + maxHeaderBytes",
    );
  });
});

describe("the config file", () => {
  test("is named by flag or variable, the flag first", () => {
    const files = { "a.json": { port: 1 }, "b.json": { port: 2 } };
    expect(load({ env: { POSTHORN_CONFIG: "a.json" }, files }).port).toBe(1);
    expect(load({ argv: ["--config", "b.json"], env: { POSTHORN_CONFIG: "a.json" }, files }).port).toBe(2);
  });

  test("that cannot be read, is not JSON or not an object stops the start with its path", () => {
    const argv = ["--config", "a.json"];
    expect(refusal({ argv })).toBe("The config file a.json cannot be read: there is no such file.");
    expect(refusal({ argv, files: { "a.json": "[]" } })).toBe(
      "The config file a.json must hold one JSON object.",
    );
    expect(refusal({ argv, files: { "a.json": '{\n  "port": 1,\n}' } })).toBe(
      "The config file a.json is not valid JSON (line 3, column 1).",
    );
  });

  test("that is not JSON is not quoted: it may hold secrets", () => {
    const sentence = refusal({
      argv: ["--config", "a.json"],
      files: { "a.json": '{"passwordHash": hunter2}' },
    });
    expect(sentence).not.toContain("hunter2");
  });

  test("may begin with a byte order mark", () => {
    expect(load({ argv: ["--config", "a.json"], files: { "a.json": '\uFEFF{"port": 1}' } }).port).toBe(1);
  });
});

describe("users", () => {
  const users = [{ name: "shop", passwordHash: someHash }];

  test("come from the config file or from a file of their own", () => {
    expect(load({ argv: ["--config", "a.json"], files: { "a.json": { users } } }).users).toEqual(users);
    expect(load({ env: { POSTHORN_USERS_FILE: "u.json" }, files: { "u.json": { users } } }).users).toEqual(
      users,
    );
  });

  test("in both places are refused", () => {
    const sentence = refusal({
      argv: ["--config", "a.json", "--users-file", "u.json"],
      files: { "a.json": { users }, "u.json": { users } },
    });
    expect(sentence).toBe(
      "users stands in the file a.json, but the flag --users-file names a users file too; only one of them may.",
    );
  });

  test.each([
    [{}, "users in the file a.json must be a list."],
    [[3], "users[0] in the file a.json must be an object with name and passwordHash."],
    [[{ name: "a" }], "users[0] in the file a.json has no passwordHash."],
    [[{ passwordHash: someHash }], "users[0] in the file a.json has no name."],
    [
      [...users, { name: "", passwordHash: someHash }],
      "users[1].name in the file a.json must be 1 to 255 characters",
    ],
    [[{ name: "a\nb", passwordHash: someHash }], "users[0].name in the file a.json must be"],
    [[{ ...users[0], password: "x" }], 'users[0] in the file a.json has the unknown key "password"'],
    [[...users, ...users], 'The user "shop" is listed twice in users.'],
  ])("%j are refused", (wrong, sentence) => {
    const files = { "a.json": { users: wrong } };
    expect(refusal({ argv: ["--config", "a.json"], files })).toContain(sentence);
  });

  test("with a password where the hash should be are refused, and the password is not shown", () => {
    const wrong = { users: [{ name: "shop", passwordHash: "hunter2" }] };
    const inConfig = refusal({ argv: ["--config", "a.json"], files: { "a.json": wrong } });
    const inUsersFile = refusal({ argv: ["--users-file", "u.json"], files: { "u.json": wrong } });
    expect(inConfig).toBe(
      "users[0].passwordHash in the file a.json is not a hash as `posthorn hash-password` prints it.",
    );
    expect(inUsersFile).toContain("users[0].passwordHash in the users file u.json is not a hash");
    expect(inConfig + inUsersFile).not.toContain("hunter2");
  });

  test("in a users file that is missing or wrong stop the start with its path", () => {
    const argv = ["--users-file", "u.json"];
    expect(refusal({ argv })).toBe(
      "The users file u.json, named by the flag --users-file, cannot be read: there is no such file.",
    );
    expect(refusal({ argv, files: { "u.json": {} } })).toBe("users is missing in the users file u.json.");
    expect(refusal({ argv, files: { "u.json": { users, port: 1 } } })).toBe(
      'There is an unknown key "port" in the users file u.json; allowed is users.',
    );
  });
});

describe("secure by default", () => {
  test.each(["0.0.0.0", "::", "192.168.1.5", "broker.example", "::ffff:10.0.0.1"])(
    "on %s the broker does not start without users, and says how to make one",
    (host) => {
      const sentence = refusal({ argv: ["--host", host] });
      expect(sentence).toContain(`host is "${host}"`);
      expect(sentence).toContain("posthorn hash-password");
    },
  );

  test("on any address it starts with users", () => {
    const files = { "u.json": { users: [{ name: "shop", passwordHash: someHash }] } };
    expect(load({ argv: ["--host", "0.0.0.0", "--users-file", "u.json"], files }).users).toHaveLength(1);
  });

  test("an empty list of users protects nothing", () => {
    expect(
      refusal({ argv: ["--host=::", "--users-file=u.json"], files: { "u.json": { users: [] } } }),
    ).toContain("host is");
  });

  test.each(["127.0.0.1", "127.9.9.9", "localhost", "::1", "0:0:0:0:0:0:0:1"])(
    "on %s it starts without users",
    (host) => {
      expect(load({ argv: ["--host", host] }).host).toBe(host);
    },
  );
});
