import { describe, expect, test } from "vitest";
import { parseArguments } from "../../bench/arguments.ts";
import { parsePeer } from "../../bench/targets/peer.ts";
import { chooseWorkloads, workloads } from "../../bench/workloads/catalogue.ts";

describe("the benchmark's command line", () => {
  test("without arguments it is three rounds of everything, without peers", () => {
    expect(parseArguments([])).toEqual({
      peers: [],
      peerPids: [],
      against: [],
      rawWs: false,
      rounds: 3,
      scale: 1,
      workloads: [],
      jsonFile: undefined,
      htmlFile: undefined,
      profileDirectory: undefined,
      help: false,
    });
  });

  test("peers, commits and workloads may be several", () => {
    const { peers, against, workloads } = parseArguments([
      ...["--peer", "amqp://localhost", "--peer", "nats://127.0.0.1:4222"],
      ...["--against", "main", "--against", "HEAD~3", "--workloads", "confirm,e2e", "latency"],
    ]);
    expect(peers.map(({ address }) => address.kind)).toEqual(["amqp", "nats"]);
    expect(against).toEqual(["main", "HEAD~3"]);
    expect(workloads).toEqual(["latency", "confirm", "e2e"]);
  });

  test.each(["0", "-1", "1.5", "many"])("%s rounds are refused", (rounds) => {
    expect(() => parseArguments([`--rounds=${rounds}`])).toThrow("--rounds");
  });

  test.each(["0", "-1", "fast"])("a scale of %s is refused", (scale) => {
    expect(() => parseArguments([`--scale=${scale}`])).toThrow("--scale");
  });

  test("an unknown option is refused", () => {
    expect(() => parseArguments(["--speed", "9"])).toThrow("--speed");
  });
});

describe("a peer", () => {
  test("may have a label, and its queue type is no part of the address", () => {
    expect(parsePeer("Rabbit quorum=amqp://guest:guest@127.0.0.1:5673/v?queue=quorum")).toEqual({
      label: "Rabbit quorum",
      address: {
        kind: "amqp",
        url: "amqp://guest:guest@127.0.0.1:5673/v",
        options: { queue: "quorum" },
      },
      port: 5673,
    });
  });

  test("without a port has its scheme's usual one", () => {
    expect(parsePeer("amqp://localhost").port).toBe(5672);
    expect(parsePeer("redis://[::1]").port).toBe(6379);
  });

  test("ws is NATS over WebSocket, stomp+ws is Web-STOMP, reached through ws", () => {
    expect(parsePeer("ws://127.0.0.1:4280").address.kind).toBe("nats");
    const { address, port } = parsePeer("stomp+ws://127.0.0.1:15674/ws");
    expect(address).toEqual({ kind: "stomp", url: "ws://127.0.0.1:15674/ws", options: {} });
    expect(port).toBe(15674);
  });

  test.each(["amqp://broker.example", "nats://10.0.0.7:4222", "redis://0.0.0.0"])(
    "%s is refused: it is not on this machine",
    (url) => {
      expect(() => parsePeer(url)).toThrow("loopback");
    },
  );

  test("of an unknown scheme is refused with those that are known", () => {
    expect(() => parsePeer("kafka://127.0.0.1")).toThrow(/amqp:.*nats:.*redis:/);
    expect(() => parsePeer("127.0.0.1")).toThrow("URL");
  });
});

describe("the choice of workloads", () => {
  test("names are unique, and everything but the very long ones is measured by default", () => {
    const names = workloads.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const optional = workloads.filter((workload) => workload.optional === true).map(({ name }) => name);
    expect(optional).toEqual(["backlog-5_000_000"]);
    expect(chooseWorkloads([]).map(({ name }) => name)).toEqual(
      names.filter((name) => !optional.includes(name)),
    );
  });

  test("a whole name chooses that one, part of a name all that contain it but the very long ones", () => {
    expect(chooseWorkloads(["latency"]).map(({ name }) => name)).toEqual(["latency"]);
    expect(chooseWorkloads(["confirm"]).map(({ name }) => name)).toEqual([
      "confirm-100B",
      "confirm-1KiB",
      "confirm-16KiB",
    ]);
    expect(chooseWorkloads(["backlog"]).map(({ name }) => name)).toEqual(["backlog-500_000"]);
    expect(chooseWorkloads(["backlog-5_000_000"]).map(({ name }) => name)).toEqual(["backlog-5_000_000"]);
  });

  test("a name that fits none is refused with those that there are", () => {
    expect(() => chooseWorkloads(["confirm", "speed"])).toThrow(/speed.*confirm-100B/);
  });
});
