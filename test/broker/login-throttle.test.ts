import { expect, test } from "vitest";
import { LoginThrottle } from "../../server/broker/login-throttle.ts";

function throttle(options: { maxAddresses?: number } = {}) {
  const clock = { now: 0 };
  const logins = new LoginThrottle({ ...options, now: () => clock.now });
  const fail = (address: string, times: number) => {
    for (let time = 0; time < times; time++) logins.failed(address);
  };
  return { logins, clock, fail };
}

test("ten failures within a minute block an address, until a minute after the first", () => {
  const { logins, clock, fail } = throttle();
  fail("10.0.0.1", 1);
  clock.now = 30_000;
  fail("10.0.0.1", 8);
  expect(logins.isBlocked("10.0.0.1")).toBe(false);
  fail("10.0.0.1", 1);
  expect(logins.isBlocked("10.0.0.1")).toBe(true);
  clock.now = 59_999;
  expect(logins.isBlocked("10.0.0.1")).toBe(true);
  clock.now = 60_000;
  expect(logins.isBlocked("10.0.0.1")).toBe(false);
});

test("failures long ago do not add up with new ones", () => {
  const { logins, clock, fail } = throttle();
  fail("10.0.0.1", 9);
  clock.now = 60_000;
  fail("10.0.0.1", 9);
  expect(logins.isBlocked("10.0.0.1")).toBe(false);
});

test("one address does not block another", () => {
  const { logins, fail } = throttle();
  fail("10.0.0.1", 100);
  expect(logins.isBlocked("10.0.0.2")).toBe(false);
});

test("an IPv4 address counts the same when written as IPv6", () => {
  const { logins, fail } = throttle();
  fail("::ffff:10.0.0.1", 5);
  fail("10.0.0.1", 5);
  expect(logins.isBlocked("::ffff:10.0.0.1")).toBe(true);
  expect(logins.isBlocked("::ffff:10.0.0.2")).toBe(false);
});

test("IPv6 addresses count by their /64 network, however they are written", () => {
  const { logins, fail } = throttle();
  for (const host of ["0:0:0:1", "2:3:4:5", "ffff:ffff:ffff:ffff", ":9"]) fail(`2001:db8:0:1:${host}`, 2);
  fail("2001:DB8::1:0:0:0:7", 2);
  expect(logins.isBlocked("2001:0db8:0000:0001:8::")).toBe(true);
  expect(logins.isBlocked("2001:db8:0:2::1")).toBe(false);
  expect(logins.isBlocked("::1")).toBe(false);
});

test("no more addresses are remembered than allowed; the one that failed first is forgotten", () => {
  const { logins, fail } = throttle({ maxAddresses: 2 });
  fail("10.0.0.1", 10);
  fail("10.0.0.2", 10);
  fail("10.0.0.3", 10);
  expect(["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((address) => logins.isBlocked(address))).toEqual([
    false,
    true,
    true,
  ]);
});
