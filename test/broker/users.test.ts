import { describe, expect, test } from "vitest";
import { isPasswordHash, verifyPassword } from "../../server/broker/password-hash.ts";
import type { UsersOptions } from "../../server/broker/users.ts";
import { hashPassword, Users } from "../../server/broker/users.ts";

describe("a password hash", () => {
  test("fits its password and no other, and differs each time", async () => {
    const [one, two] = await Promise.all([hashPassword("correct horse"), hashPassword("correct horse")]);
    expect(one).toMatch(/^scrypt\$N=16384,r=8,p=1\$[A-Za-z0-9+/]+=*\$[A-Za-z0-9+/]+=*$/);
    expect(one).not.toBe(two);
    expect(isPasswordHash(one)).toBe(true);
    expect(await verifyPassword("correct horse", one)).toBe(true);
    expect(await verifyPassword("correct hors", one)).toBe(false);
    expect(await verifyPassword("", one)).toBe(false);
  });

  test("fits the same letters however the keyboard composed them", async () => {
    const hash = await hashPassword("caf\u00e9");
    expect(await verifyPassword("cafe\u0301", hash)).toBe(true);
  });

  test("with a cost of its own is checked at that cost", async () => {
    const { scryptSync } = await import("node:crypto");
    const salt = Buffer.from("sixteen bytes ok");
    const key = scryptSync("horse", salt, 64, { N: 32_768, r: 8, p: 2, maxmem: 128 * 1024 * 1024 });
    const hash = `scrypt$N=32768,r=8,p=2$${salt.toString("base64")}$${key.toString("base64")}`;
    expect(await verifyPassword("horse", hash)).toBe(true);
  });

  const salt = "c29tZSBzYWx0IGhlcmU=";
  const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  test.each([
    "",
    "hunter2",
    `scrypt$N=16384,r=8,p=1$${salt}`,
    `scrypt$N=16384,r=8,p=1$${salt}$`,
    `scrypt$N=16384,r=8,p=1$${salt}$${key}\n`,
    `scrypt$N=10000,r=8,p=1$${salt}$${key}`,
    `scrypt$N=1,r=8,p=1$${salt}$${key}`,
    `scrypt$N=16384,r=0,p=1$${salt}$${key}`,
    `scrypt$N=16384,r=8,p=99$${salt}$${key}`,
    `scrypt$N=67108864,r=8,p=1$${salt}$${key}`,
  ])("is not %j", async (text) => {
    expect(isPasswordHash(text)).toBe(false);
    await expect(verifyPassword("x", text)).rejects.toThrow(TypeError);
  });
});

/** Users whose "hashes" are `hash of <password>`, and a record of every check; checks end when `finish` is called. */
function slowUsers(passwords: Record<string, string>, options: UsersOptions = {}) {
  const checks: { password: string; passwordHash: string; finish: () => void }[] = [];
  const list = Object.entries(passwords).map(([name, password]) => ({
    name,
    passwordHash: `hash of ${password}`,
  }));
  const users = new Users(list, {
    ...options,
    verify: (password, passwordHash) =>
      new Promise((resolve) => {
        checks.push({
          password,
          passwordHash,
          finish: () => resolve(passwordHash === `hash of ${password}`),
        });
      }),
  });
  return { users, checks };
}

/** The same, but checks end at once. */
function quickUsers(passwords: Record<string, string>, options: UsersOptions = {}) {
  const checked: string[] = [];
  const list = Object.entries(passwords).map(([name, password]) => ({
    name,
    passwordHash: `hash of ${password}`,
  }));
  const users = new Users(list, {
    ...options,
    verify: async (password, passwordHash) => {
      checked.push(passwordHash);
      return passwordHash === `hash of ${password}`;
    },
  });
  return { users, checked };
}

describe("users", () => {
  test("log in with their own password only", async () => {
    const [shop, bank] = await Promise.all([hashPassword("horse"), hashPassword("battery")]);
    const users = new Users([
      { name: "shop", passwordHash: shop },
      { name: "bank", passwordHash: bank },
    ]);
    expect(users.size).toBe(2);
    expect(await users.authenticate("shop", "horse")).toBe(true);
    expect(await users.authenticate("shop", "battery")).toBe(false);
    expect(await users.authenticate("bank", "battery")).toBe(true);
    expect(await users.authenticate("Shop", "horse")).toBe(false);
    expect(await users.authenticate("", "")).toBe(false);
    expect(await users.authenticate("__proto__", "horse")).toBe(false);
  });

  test("without any, nobody can log in", async () => {
    expect(await new Users([]).authenticate("shop", "horse")).toBe(false);
  });

  test("an unknown name costs a check like a known one, and is refused even with that user's password", async () => {
    const { users, checked } = quickUsers({ shop: "horse" });
    expect(await users.authenticate("nobody", "horse")).toBe(false);
    expect(await users.authenticate("nobody", "horse")).toBe(false);
    expect(checked).toEqual(["hash of horse", "hash of horse"]);
  });

  test("an unknown name always costs the same user's check", async () => {
    const { users, checked } = quickUsers({ a: "1", b: "2", c: "3", d: "4" });
    for (let attempt = 0; attempt < 5; attempt++) await users.authenticate("nobody", String(attempt));
    expect(checked).toHaveLength(5);
    expect(new Set(checked).size).toBe(1);
  });
});

describe("many logins", () => {
  test("a success is remembered and costs no second check, until its time is over", async () => {
    let now = 0;
    const { users, checked } = quickUsers({ shop: "horse" }, { now: () => now, rememberMs: 1000 });
    for (let client = 0; client < 100; client++) expect(await users.authenticate("shop", "horse")).toBe(true);
    expect(checked).toHaveLength(1);
    now = 1000;
    expect(await users.authenticate("shop", "horse")).toBe(true);
    expect(checked).toHaveLength(2);
  });

  test("a failure is not remembered", async () => {
    const { users, checked } = quickUsers({ shop: "horse" });
    expect(await users.authenticate("shop", "house")).toBe(false);
    expect(await users.authenticate("shop", "house")).toBe(false);
    expect(checked).toHaveLength(2);
  });

  test("what is remembered for one name and password does not let in another split of the same letters", async () => {
    const { users } = quickUsers({ shop: "horse", shoph: "never" });
    expect(await users.authenticate("shop", "horse")).toBe(true);
    expect(await users.authenticate("shoph", "orse")).toBe(false);
  });

  test("no more successes are remembered than allowed; the oldest goes first", async () => {
    const { users, checked } = quickUsers({ a: "1", b: "2", c: "3" }, { maxRemembered: 2 });
    for (const [name, password] of [
      ["a", "1"],
      ["b", "2"],
      ["c", "3"],
      ["c", "3"],
      ["b", "2"],
      ["a", "1"],
    ] as const) {
      expect(await users.authenticate(name, password)).toBe(true);
    }
    expect(checked).toEqual(["hash of 1", "hash of 2", "hash of 3", "hash of 1"]);
  });

  test("equal logins that arrive together share one check", async () => {
    const { users, checks } = slowUsers({ shop: "horse" });
    const logins = Array.from({ length: 1000 }, () => users.authenticate("shop", "horse"));
    expect(checks).toHaveLength(1);
    checks[0]!.finish();
    expect(new Set(await Promise.all(logins))).toEqual(new Set([true]));
  });

  test("only a few are checked at a time, the others in their order", async () => {
    const { users, checks } = slowUsers({ shop: "horse" }, { maxParallel: 2 });
    const logins = ["1", "2", "3", "4"].map((password) => users.authenticate("shop", password));
    expect(checks.map((check) => check.password)).toEqual(["1", "2"]);
    checks[1]!.finish();
    await logins[1];
    expect(checks.map((check) => check.password)).toEqual(["1", "2", "3"]);
    checks[0]!.finish();
    await logins[0];
    expect(checks.map((check) => check.password)).toEqual(["1", "2", "3", "4"]);
    for (const check of checks) check.finish();
    expect(await Promise.all(logins)).toEqual([false, false, false, false]);
  });

  test("when too many wait, one more is told to come back, and those who wait are not harmed", async () => {
    const { users, checks } = slowUsers({ shop: "horse" }, { maxParallel: 1, maxWaiting: 1 });
    const first = users.authenticate("shop", "wrong");
    const second = users.authenticate("shop", "horse");
    await expect(users.authenticate("shop", "third")).rejects.toMatchObject({ code: "too-many-connections" });
    checks[0]!.finish();
    expect(await first).toBe(false);
    checks[1]!.finish();
    expect(await second).toBe(true);
    const later = users.authenticate("shop", "third");
    checks[2]!.finish();
    expect(await later).toBe(false);
  });

  test("a check that fails for a reason of its own frees its turn", async () => {
    const users = new Users([{ name: "shop", passwordHash: "broken" }], { maxParallel: 1, maxWaiting: 0 });
    await expect(users.authenticate("shop", "a")).rejects.toThrow(TypeError);
    await expect(users.authenticate("shop", "a")).rejects.toThrow(TypeError);
  });
});
