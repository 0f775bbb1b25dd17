import { describe, expect, test } from "vitest";
import { originAllowed } from "../../server/http/origin.ts";

const publicly = false;
const onLoopback = true;

test("a client without an origin is no browser and is allowed", () => {
  expect(originAllowed(undefined, "127.0.0.1:5680", [], onLoopback)).toBe(true);
  expect(originAllowed(undefined, undefined, [], publicly)).toBe(true);
});

describe("a page from the broker's own address", () => {
  test.each([
    ["http://broker.example:5680", "broker.example:5680"],
    ["http://broker.example", "broker.example"],
    ["https://broker.example", "broker.example"],
    ["https://broker.example", "broker.example:443"],
    ["http://broker.example", "BROKER.example:80"],
    ["http://10.0.0.1:5680", "10.0.0.1:5680"],
    ["http://[2001:db8::1]:5680", "[2001:db8:0::1]:5680"],
  ])("%s at Host %s is allowed", (origin, host) => {
    expect(originAllowed(origin, host, [], publicly)).toBe(true);
  });

  test.each([
    ["http://broker.example:5681", "broker.example:5680"],
    ["http://broker.example", "broker.example:5680"],
    ["https://broker.example", "broker.example:80"],
    ["http://evil.example:5680", "broker.example:5680"],
    ["http://broker.example.evil.example", "broker.example"],
    ["http://evil-broker.example", "broker.example"],
    ["http://broker.example/", "broker.example"],
    ["http://user@broker.example", "broker.example"],
    ["ftp://broker.example", "broker.example"],
    ["http://broker.example", "evil.example@broker.example"],
    ["http://broker.example", "broker.example/x"],
    ["http://broker.example", undefined],
    ["http://broker.example", ""],
    ["broker.example", "broker.example"],
    ["null", "broker.example"],
    ["null", "null"],
    ["", ""],
  ])("%j at Host %j is refused", (origin, host) => {
    expect(originAllowed(origin, host, [], publicly)).toBe(false);
  });
});

describe("a broker on loopback", () => {
  test.each(["localhost:5680", "127.0.0.1:5680", "[::1]:5680", "127.0.0.1", "LOCALHOST:5680"])(
    "takes %s for itself",
    (host) => {
      expect(originAllowed(`http://${host.toLowerCase()}`, host, [], onLoopback)).toBe(true);
    },
  );

  test.each([
    "evil.example:5680",
    "localhost.evil.example:5680",
    "127.0.0.1.evil.example:5680",
    "10.0.0.1:5680",
  ])("does not take %s for itself, which may have been made to resolve to it", (host) => {
    expect(originAllowed(`http://${host}`, host, [], onLoopback)).toBe(false);
  });

  test("allows a listed origin that a proxy on this machine passes on", () => {
    expect(originAllowed("https://app.example", "app.example", ["https://app.example"], onLoopback)).toBe(
      true,
    );
  });
});

describe("listed origins", () => {
  const allowed = ["https://app.example", "http://localhost:3000"];

  test("are allowed exactly as listed, whatever the host", () => {
    expect(originAllowed("https://app.example", "broker.example", allowed, publicly)).toBe(true);
    expect(originAllowed("http://localhost:3000", "127.0.0.1:5680", allowed, onLoopback)).toBe(true);
  });

  test.each([
    "http://app.example",
    "https://app.example:8443",
    "https://sub.app.example",
    "https://app.example.evil.example",
    "http://localhost:3001",
  ])("do not allow %s", (origin) => {
    expect(originAllowed(origin, "broker.example", allowed, publicly)).toBe(false);
  });

  test("null only allows what has no origin of its own", () => {
    expect(originAllowed("null", "broker.example", ["null"], publicly)).toBe(true);
    expect(originAllowed("https://evil.example", "broker.example", ["null"], publicly)).toBe(false);
  });

  test("* allows every page", () => {
    expect(originAllowed("https://evil.example", "broker.example", ["*"], onLoopback)).toBe(true);
    expect(originAllowed("null", "broker.example", ["*"], onLoopback)).toBe(true);
  });
});
