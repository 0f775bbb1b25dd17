import { describe, expect, test } from "vitest";
import { InFlight } from "../../bench/drivers/in-flight.ts";
import { inodesOf } from "../../bench/process-figures.ts";
import { readPublishTime, writePublishTime } from "../../bench/roles/publish-time.ts";
import { routingBindings, routingKey } from "../../bench/roles/routing-keys.ts";
import { warmRate } from "../../bench/roles/warm-mark.ts";

describe("what a load generator has in flight", () => {
  test("ends at the limit and goes on when something is confirmed", async () => {
    const inFlight = new InFlight(2);
    inFlight.add();
    expect(inFlight.hasRoom).toBe(true);
    inFlight.add();
    expect(inFlight.hasRoom).toBe(false);
    const room = inFlight.untilRoom();
    inFlight.remove();
    await room;
    expect(inFlight.hasRoom).toBe(true);
  });

  test("is flushed once nothing is left", async () => {
    const inFlight = new InFlight(10);
    inFlight.add();
    inFlight.add();
    let empty = false;
    const flushed = inFlight.untilEmpty().then(() => {
      empty = true;
    });
    inFlight.remove();
    await Promise.resolve();
    expect(empty).toBe(false);
    inFlight.remove();
    await flushed;
  });

  test("a refusal fails who waits, and who comes later", async () => {
    const inFlight = new InFlight(1);
    inFlight.add();
    const waiting = inFlight.untilRoom();
    inFlight.fail(new Error("no"));
    await expect(waiting).rejects.toThrow("no");
    await expect(inFlight.untilEmpty()).rejects.toThrow("no");
  });
});

describe("the time in a message", () => {
  test.each([0, 0.001, 1234.567, 10_391_637.366, 2 ** 42])("of %d ms is read as it was written", (ms) => {
    const body = new Uint8Array(100).fill(0x78);
    writePublishTime(body, ms);
    expect(readPublishTime(body)).toBe(ms);
    expect(() => new TextDecoder("utf-8", { fatal: true }).decode(body)).not.toThrow();
  });
});

describe("the rate of a load generator", () => {
  test("is that after the warm-up", () => {
    const result = { count: 11_000, startedAtMs: 0, warm: { count: 1000, atMs: 1000 } };
    expect(warmRate(result, 2000)).toBe(10_000);
  });

  test("is that of everything when hardly anything came after the warm-up", () => {
    const result = { count: 1000, startedAtMs: 0, warm: { count: 1000, atMs: 500 } };
    expect(warmRate(result, 500)).toBe(2000);
  });
});

describe("the routing workload", () => {
  test("spreads its bindings evenly over the queues", () => {
    const bindings = routingBindings(1000, 10, "q");
    const queues = new Map<string, number>();
    for (const { queue } of bindings) queues.set(queue, (queues.get(queue) ?? 0) + 1);
    expect([...queues.values()]).toEqual(Array.from({ length: 10 }, () => 100));
  });

  test("has keys that differ and that each match exactly one binding", () => {
    const bindings = routingBindings(1000, 10, "q").map(
      ({ pattern }) =>
        new RegExp(`^${pattern.replaceAll(".", "\\.").replace("*", "[^.]+").replace("#", ".+")}$`),
    );
    const keys = Array.from({ length: 300 }, (_, number) => routingKey(number, 1000));
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys) expect(bindings.filter((pattern) => pattern.test(key))).toHaveLength(1);
  });
});

describe("the search for a peer's process", () => {
  test("finds the sockets that listen on a port, not those connected to it", () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1628 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 4242 1
   1: 0100007F:1628 0100007F:9C40 01 00000000:00000000 00:00000000 00000000   104        0 4243 1
   2: 0100007F:9C40 0100007F:1628 01 00000000:00000000 00:00000000 00000000     0        0 4244 1
   3: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 4245 1
`;
    expect(inodesOf(table, 5672)).toEqual(["4242"]);
    expect(inodesOf(table, 6379)).toEqual(["4245"]);
    expect(inodesOf(table, 22)).toEqual([]);
  });
});
