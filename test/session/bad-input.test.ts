import { connect as connectSocket } from "node:net";
import { describe, expect, test } from "vitest";
import { ByteWriter, encodeMessage, publishFlags, writePublish, writeSettle } from "../../protocol/index.ts";
import { hashPassword } from "../../server/broker/users.ts";
import { type BrokerOptions, type TestBroker, withBroker } from "../support/broker.ts";
import { besideAHealthyClient } from "../support/healthy-client.ts";
import type { RawClient } from "../support/raw-client.ts";

const kiB = 1024;

/** A test of what a bad client gets, with a healthy one beside it that must not notice. */
function badClient(
  use: (bad: RawClient, broker: TestBroker) => Promise<void>,
  options: BrokerOptions = {},
  hello = {},
) {
  return () =>
    withBroker(
      (broker) => besideAHealthyClient(broker, async () => use(await broker.dial(), broker), hello),
      options,
    );
}

/** As `badClient`, for one that has said hello properly. */
function badSession(
  use: (bad: RawClient, broker: TestBroker) => Promise<void>,
  options: BrokerOptions = {},
  hello = {},
) {
  return badClient(async (bad, broker) => {
    expect(await bad.hello(hello)).toMatchObject({ type: "welcome" });
    await use(bad, broker);
  }, options);
}

/** The session goes on: it can declare, publish and get. */
async function expectAlive(client: RawClient): Promise<void> {
  const { queue } = await client.must("queue.declare", { exclusive: true });
  await client.must("queue.purge", { queue });
  await client.barrier();
}

async function expectEnd(client: RawClient, closeCode: number, code: string): Promise<void> {
  expect((await client.closed).code).toBe(closeCode);
  expect(client.received.at(-1)).toMatchObject({ type: "error", code });
}

function binaryPublish(number: number, body: Uint8Array = new Uint8Array(4), routingKey = "q"): Uint8Array {
  const writer = new ByteWriter();
  const properties = { persistent: true };
  writePublish(writer, number, 0, encodeMessage({ exchange: "", routingKey, properties, body }));
  return writer.written();
}

describe("text", () => {
  for (const [what, text] of [
    ["that is not JSON", "{"],
    ["that is empty", ""],
    ["that is a JSON array", '[{"type":"heartbeat"}]'],
    ["that is null", "null"],
    ["that is a JSON string", '"heartbeat"'],
    ["without a type", "{}"],
    ["whose type is a number", '{"type":7}'],
    ["whose type is null", '{"type":null}'],
  ] as const) {
    test(
      `${what} is answered with invalid-frame, and the session goes on`,
      badSession(async (bad) => {
        bad.sendText(text);
        expect(await bad.next({ type: "error" })).toMatchObject({ code: "invalid-frame" });
        await expectAlive(bad);
      }),
    );
  }

  test(
    "of an unknown type is answered with unknown-frame-type, also if its type is a name of every object",
    badSession(async (bad) => {
      for (const type of [
        "queue.levitate",
        "",
        "__proto__",
        "constructor",
        "toString",
        "ok",
        "welcome",
        "deliver",
        "x".repeat(10_000),
      ]) {
        expect(await bad.request(type)).toMatchObject({ type: "error", code: "unknown-frame-type" });
      }
      await expectAlive(bad);
    }),
  );

  test(
    "that is not UTF-8 ends the connection with close code 1007",
    badSession(async (bad) => {
      bad.webSocket.send(new Uint8Array([0x22, 0xff, 0xfe, 0x22]), { binary: false });
      expect((await bad.closed).code).toBe(1007);
    }),
  );

  test(
    "that is nested without end is answered, and the session goes on",
    badSession(async (bad) => {
      const deep = 100_000;
      bad.sendText(
        `{"type":"queue.bind","id":9,"queue":"q","exchange":"e","arguments":${'{"a":'.repeat(deep)}1${"}".repeat(deep)}}`,
      );
      expect(await bad.next({ type: "error" })).toMatchObject({ code: "invalid-frame" });
      await expectAlive(bad);
    }),
  );

  test(
    "larger than allowed ends the connection with close code 1009",
    badSession(
      async (bad) => {
        bad.sendText(JSON.stringify({ type: "heartbeat", extra: "x".repeat(300 * kiB) }));
        expect((await bad.closed).code).toBe(1009);
      },
      { config: { maxFrameBytes: 256 * kiB, maxMessageBytes: 64 * kiB } },
    ),
  );
});

describe("a binary message", () => {
  for (const [what, bytes] of [
    ["that ends in the middle of a frame", binaryPublish(1).subarray(0, 9)],
    ["that ends behind a frame's code", new Uint8Array([1])],
    ["of an unknown code", new Uint8Array([99, 0])],
    ["of random bytes", new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ["with a frame that only brokers send", new Uint8Array([3, 3, 1, 0, 0])],
    ["with a settlement of an unknown outcome", new Uint8Array([5, 4, 1, 1, 0, 9])],
    [
      "whose envelope has unknown flags",
      (() => {
        const bytes = binaryPublish(1);
        bytes[4] = 0xff;
        return bytes;
      })(),
    ],
  ] as const) {
    test(
      `${what} ends the session with frame-error`,
      badSession(
        async (bad) => {
          bad.sendBinary(bytes);
          await expectEnd(bad, 4500, "frame-error");
        },
        {},
        { encoding: "binary" },
      ),
    );
  }

  test(
    "that is empty is nothing at all",
    badSession(
      async (bad) => {
        bad.sendBinary(new Uint8Array(0));
        await expectAlive(bad);
      },
      {},
      { encoding: "binary" },
    ),
  );

  test(
    "is not for a session that speaks JSON",
    badSession(async (bad) => {
      bad.sendBinary(binaryPublish(1));
      await expectEnd(bad, 4500, "frame-error");
    }),
  );

  test("is what a session that speaks binary must use for message frames", async () => {
    for (const frame of [
      { type: "publish", number: 1, exchange: "", routingKey: "q", text: "" },
      { type: "publish" },
      { type: "settle", consumer: 1, first: 1, last: 1, outcome: "ack" },
    ]) {
      await badSession(
        async (bad) => {
          bad.send(frame);
          await expectEnd(bad, 4500, "frame-error");
        },
        {},
        { encoding: "binary" },
      )();
    }
  });

  test(
    "whose later frame is bad: what stands before it counts",
    badSession(
      async (bad, { raw }) => {
        const other = await raw();
        await other.must("queue.declare", { queue: "q" });
        bad.sendBinary(Buffer.concat([binaryPublish(1), binaryPublish(2), new Uint8Array([99, 0])]));
        await expectEnd(bad, 4500, "frame-error");
        expect(await other.must("queue.declare", { queue: "q", passive: true })).toMatchObject({
          messageCount: 2,
        });
      },
      {},
      { encoding: "binary" },
    ),
  );
});

describe("hello", () => {
  for (const [what, frame] of [
    ["another frame", { type: "queue.declare", id: 1, queue: "q" }],
    ["a heartbeat", { type: "heartbeat" }],
    ["a publish", { type: "publish", number: 1, exchange: "", routingKey: "q", text: "" }],
    ["a hello without a version", { type: "hello", id: 1 }],
    ["a hello with a field too many", { type: "hello", id: 1, protocol: 1, token: "x" }],
  ] as const) {
    test(
      `${what} instead of hello ends the session with hello-required`,
      badClient(async (bad) => {
        bad.send(frame);
        await expectEnd(bad, 4502, "hello-required");
      }),
    );
  }

  test(
    "bytes instead of hello end the session with hello-required",
    badClient(async (bad) => {
      bad.sendBinary(binaryPublish(1));
      await expectEnd(bad, 4502, "hello-required");
    }),
  );

  test(
    "a second one is answered with already-open, and the session stays as it was",
    badSession(async (bad) => {
      bad.send({ type: "hello", id: 50, protocol: 1, encoding: "binary" });
      expect(await bad.next({ id: 50 })).toMatchObject({ type: "error", code: "already-open" });
      bad.send({ type: "hello", id: 51, protocol: 2 });
      expect(await bad.next({ id: 51 })).toMatchObject({ type: "error", code: "already-open" });
      await expectAlive(bad);
      expect(await bad.confirmed({ routingKey: "nowhere" })).not.toHaveProperty("code");
    }),
  );

  test(
    "with another version of the protocol ends the session with unsupported-protocol",
    badClient(async (bad) => {
      bad.send({ type: "hello", id: 1, protocol: 2 });
      await expectEnd(bad, 4501, "unsupported-protocol");
    }),
  );

  test("that does not come in time ends the connection with hello-timeout", async () => {
    let nowMs = 0;
    await withBroker(
      async ({ dial }) => {
        const bad = await dial();
        nowMs = 60_000;
        await expectEnd(bad, 4005, "hello-timeout");
      },
      { now: () => nowMs },
    );
  });

  test(
    "a single huge frame instead of it is cut off before it is read",
    badClient(async (bad) => {
      bad.sendText("x".repeat(1024 * kiB));
      expect((await bad.closed).code).toBe(1006);
      expect(bad.received).toEqual([]);
    }),
  );

  test(
    "with wrong credentials, or none, ends the session with authentication-failed",
    badClient(
      async (_, { dial }) => {
        for (const wrong of [
          undefined,
          { user: "shop", password: "wrong" },
          { user: "shop", password: "" },
          { user: "nobody", password: "secret" },
        ]) {
          const bad = await dial();
          await bad.hello({ ...(wrong && { credentials: wrong }) });
          await expectEnd(bad, 4503, "authentication-failed");
          expect(JSON.stringify(bad.received)).not.toContain("nobody");
        }
      },
      withUser,
      hello,
    ),
  );

  test(
    "after ten wrong passwords is refused with too-many-failures, also if it is right",
    badClient(
      async (_, { dial }) => {
        for (let attempt = 0; attempt < 10; attempt++) {
          const bad = await dial();
          await bad.hello({ credentials: { user: "shop", password: `guess ${attempt}` } });
          await expectEnd(bad, 4503, "authentication-failed");
        }
        const blocked = await dial();
        await blocked.hello({ credentials });
        await expectEnd(blocked, 4006, "too-many-failures");
      },
      withUser,
      hello,
    ),
  );
});

const credentials = { user: "shop", password: "secret" };
const hello = { credentials };
const withUser: BrokerOptions = {
  config: { users: [{ name: credentials.user, passwordHash: await hashPassword(credentials.password) }] },
};

describe("a publish", () => {
  test("out of order ends the session with frame-error", async () => {
    for (const number of [2, 7, Number.MAX_SAFE_INTEGER]) {
      await badSession(async (bad) => {
        bad.send({ type: "publish", number, exchange: "", routingKey: "q", text: "" });
        await expectEnd(bad, 4500, "frame-error");
      })();
    }
    await badSession(
      async (bad) => {
        bad.sendBinary(binaryPublish(1));
        bad.sendBinary(binaryPublish(1));
        await expectEnd(bad, 4500, "frame-error");
      },
      {},
      { encoding: "binary" },
    )();
  });

  test(
    "that is not valid is refused by its number, and the next one has the next number",
    badSession(async (bad) => {
      const fates = [
        [{ text: undefined }, "invalid-frame"],
        [{ json: { a: 1 } }, "invalid-frame"],
        [{ text: undefined, base64: "%%%" }, "invalid-frame"],
        [{ routingKey: 7 }, "invalid-frame"],
        [{ extra: true }, "invalid-frame"],
        [{ properties: { priority: 256 } }, "invalid-frame"],
        [{ properties: { headers: { a: { $unknown: 1 } } } }, "invalid-frame"],
        [{ routingKey: "ä".repeat(200) }, "invalid-argument"],
        [{ exchange: "missing" }, "not-found"],
        [{ routingKey: "q" }, undefined],
      ] as const;
      for (const [fields, code] of fates) {
        const number = bad.publish({ routingKey: "q", ...fields });
        const fate = await bad.fate(number);
        expect(fate, JSON.stringify(fields)).toMatchObject({ first: number, last: number });
        expect(fate.code, JSON.stringify(fields)).toBe(code);
      }
      expect(bad.of("error")).toEqual([]);
    }),
  );

  test(
    "that asks for no confirm is told of a refusal all the same",
    badSession(async (bad) => {
      bad.publish({ routingKey: "q", confirm: false });
      expect(
        await bad.fate(bad.publish({ exchange: "missing", routingKey: "q", confirm: false })),
      ).toMatchObject({
        first: 2,
        last: 2,
        code: "not-found",
      });
      await bad.barrier();
      expect(bad.of("confirm")).toHaveLength(1);
    }),
  );

  test("whose body is too large is refused with message-too-large, in both encodings", async () => {
    const limits: BrokerOptions = { config: { maxMessageBytes: 4 * kiB } };
    await badSession(async (bad) => {
      expect(await bad.confirmed({ routingKey: "q", text: "x".repeat(4 * kiB + 1) })).toMatchObject({
        code: "message-too-large",
      });
      expect(await bad.confirmed({ routingKey: "q", text: "x".repeat(4 * kiB) })).not.toHaveProperty("code");
      await expectAlive(bad);
    }, limits)();
    await badSession(
      async (bad) => {
        bad.sendBinary(binaryPublish(1, new Uint8Array(4 * kiB + 1)));
        expect(await bad.fate(1)).toMatchObject({ code: "message-too-large" });
        bad.sendBinary(binaryPublish(2, new Uint8Array(4 * kiB)));
        expect(await bad.fate(2)).not.toHaveProperty("code");
      },
      limits,
      { encoding: "binary" },
    )();
  });

  test(
    "whose headers are too large is refused with message-too-large",
    badSession(
      async (bad) => {
        const headers = { padding: "x".repeat(2 * kiB) };
        expect(await bad.confirmed({ routingKey: "q", properties: { headers } })).toMatchObject({
          code: "message-too-large",
        });
        await expectAlive(bad);
      },
      { config: { maxHeaderBytes: kiB } },
    ),
  );

  test("with headers that cannot be read ends the session, unless they are too large to be looked at", async () => {
    const envelope = (tableBytes: number) => {
      const head = encodeMessage({
        exchange: "",
        routingKey: "q",
        properties: { persistent: true, headers: { a: "x".repeat(tableBytes) } },
        body: new Uint8Array(1),
      });
      // The tag of the header's value.
      head[head.indexOf(0x61) + 1] = 0xee;
      const writer = new ByteWriter();
      writePublish(writer, 1, publishFlags.mandatory, head);
      return writer.written();
    };
    const limits: BrokerOptions = { config: { maxHeaderBytes: kiB } };
    await badSession(
      async (bad) => {
        bad.sendBinary(envelope(100));
        await expectEnd(bad, 4500, "frame-error");
      },
      limits,
      { encoding: "binary" },
    )();
    await badSession(
      async (bad) => {
        bad.sendBinary(envelope(2 * kiB));
        expect(await bad.fate(1)).toMatchObject({ code: "message-too-large" });
        await expectAlive(bad);
      },
      limits,
      { encoding: "binary" },
    )();
  });
});

describe("a settlement", () => {
  test(
    "of what is not outstanding is answered with unknown-delivery and its numbers, and settles nothing",
    badSession(async (bad) => {
      const { queue } = await bad.must("queue.declare", { exclusive: true });
      const { consumer } = await bad.must("queue.consume", { prefetch: 10 });
      for (let i = 0; i < 3; i++) bad.publish({ routingKey: queue, text: `${i}` });
      await bad.deliveries(consumer as number, 3);
      for (const [who, first, last] of [
        [consumer, 1, 4],
        [consumer, 4, 4],
        [consumer, 2, Number.MAX_SAFE_INTEGER],
        [99, 1, 1],
        [0, 1, 1],
      ] as const) {
        bad.settle(who as number, first, last, "ack");
        const error = await bad.next({ type: "error" });
        expect(error).toMatchObject({ code: "unknown-delivery", details: { consumer: who, first, last } });
        expect(error).not.toHaveProperty("id");
      }
      bad.settle(consumer as number, 1, 3, "ack");
      bad.settle(consumer as number, 3, 3, "ack");
      expect(await bad.next({ type: "error" })).toMatchObject({ code: "unknown-delivery" });
      await bad.barrier();
      expect(bad.of("error")).toHaveLength(6);
    }),
  );

  test(
    "that ends before it begins is answered with invalid-frame",
    badSession(async (bad) => {
      bad.settle(1, 2, 1, "ack");
      expect(await bad.next({ type: "error" })).toMatchObject({ code: "invalid-frame" });
      await expectAlive(bad);
    }),
  );

  test(
    "of an unknown delivery in binary is answered, and what follows in the message counts",
    badSession(
      async (bad) => {
        await bad.must("queue.declare", { queue: "q" });
        const writer = new ByteWriter();
        writeSettle(writer, 3, 5, 9, "requeue");
        bad.sendBinary(Buffer.concat([writer.written(), binaryPublish(1)]));
        expect(await bad.next({ type: "error" })).toMatchObject({
          code: "unknown-delivery",
          details: { consumer: 3, first: 5, last: 9 },
        });
        expect(await bad.fate(1)).not.toHaveProperty("code");
      },
      {},
      { encoding: "binary" },
    ),
  );
});

describe("a connection", () => {
  test("from a page elsewhere is refused with status 403", () =>
    withBroker((broker) =>
      besideAHealthyClient(broker, async () => {
        await expect(broker.dial({ origin: "https://elsewhere.example" })).rejects.toMatchObject({
          status: 403,
        });
        const page = await broker.dial({ origin: `http://127.0.0.1:${broker.port}` });
        expect(await page.hello()).toMatchObject({ type: "welcome" });
      }),
    ));

  test("from a page that is allowed by name is accepted", () =>
    withBroker(
      async ({ dial }) => {
        expect(await (await dial({ origin: "https://shop.example" })).hello()).toMatchObject({
          type: "welcome",
        });
        await expect(dial({ origin: "https://elsewhere.example" })).rejects.toMatchObject({ status: 403 });
      },
      { config: { allowedOrigins: ["https://shop.example"] } },
    ));

  test("with an unknown subprotocol is refused with status 400; with none it is taken for posthorn.v1", () =>
    withBroker((broker) =>
      besideAHealthyClient(broker, async () => {
        await expect(broker.dial({ protocols: ["mqtt"] })).rejects.toMatchObject({ status: 400 });
        for (const protocols of [[], ["mqtt", "posthorn.v1"]]) {
          const client = await broker.dial({ protocols });
          expect(await client.hello()).toMatchObject({ type: "welcome" });
          expect(client.webSocket.protocol).toBe(protocols.length === 0 ? "" : "posthorn.v1");
        }
      }),
    ));

  test("one too many from an address is refused with status 503, until another has gone", () =>
    withBroker(
      (broker) =>
        besideAHealthyClient(broker, async () => {
          const second = await broker.raw();
          await expect(broker.dial()).rejects.toMatchObject({ status: 503 });
          await second.close();
          await broker.raw();
        }),
      { config: { maxConnectionsPerIp: 2 } },
    ));

  test("one too many in all is refused with status 503", () =>
    withBroker(
      (broker) =>
        besideAHealthyClient(broker, async () => {
          await broker.raw();
          await expect(broker.dial()).rejects.toMatchObject({ status: 503 });
        }),
      { config: { maxConnections: 2 } },
    ));

  test("one too many that has not said hello is refused; those that have do not count", () =>
    withBroker(
      (broker) =>
        besideAHealthyClient(broker, async () => {
          const [first] = [await broker.dial(), await broker.dial()];
          await expect(broker.dial()).rejects.toMatchObject({ status: 503 });
          await first.hello();
          await broker.dial();
        }),
      { config: { maxUnauthenticatedPerIp: 2 } },
    ));

  test("that is refused and left open by the client does not keep the broker from stopping", async () => {
    await withBroker(async ({ port }) => {
      const socket = connectSocket({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.write(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
          "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
      );
      const answer = await new Promise<string>((resolve) =>
        socket.once("data", (data) => resolve(String(data))),
      );
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      socket.on("error", () => {});
    });
  });

  test(
    "that is cut in the middle of a frame is forgotten",
    badSession(async (bad, { raw }) => {
      await bad.must("queue.declare", { queue: "mine", exclusive: true });
      const socket = (bad.webSocket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket;
      // A text frame of 126 bytes, of which two come.
      socket.write(new Uint8Array([0x81, 0xfe, 0x00, 0x7e, 1, 2, 3, 4, 0x7a, 0x7a]));
      bad.terminate();
      const other = await raw();
      for (;;) {
        const answer = await other.request("queue.declare", { queue: "mine", passive: true });
        if (answer.code === "not-found") break;
        expect(answer.code).toBe("resource-locked");
      }
    }),
  );
});
