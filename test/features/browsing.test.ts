import { expect, test } from "vitest";
import type { BrowsedMessage, Queue } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";

async function all(messages: AsyncIterable<BrowsedMessage>): Promise<BrowsedMessage[]> {
  const found: BrowsedMessage[] = [];
  for await (const message of messages) found.push(message);
  return found;
}

async function texts(messages: AsyncIterable<BrowsedMessage>): Promise<string[]> {
  return (await all(messages)).map((message) => message.text());
}

async function publishNumbers(queue: Queue, from: number, to: number): Promise<void> {
  const published = [];
  for (let i = from; i <= to; i++) published.push(queue.publish(`${i}`));
  await Promise.all(published);
}

function upTo(last: number, first = 1): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}`);
}

test("browsing shows every message with what the broker knows about it, and takes none", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await queue.publish({ id: 1 }, { headers: { trace: "t1" }, messageId: "m1" });
    await queue.publish("two", { persistent: false });
    const [first, second] = await all(queue.browse());
    expect(first).toMatchObject({
      state: "ready",
      size: 8,
      cut: false,
      redelivered: false,
      attempts: 0,
      deaths: [],
    });
    expect(first).toMatchObject({ exchange: "", routingKey: "q", messageId: "m1", headers: { trace: "t1" } });
    expect(first!.json()).toEqual({ id: 1 });
    expect(first!.expiresAt).toBeUndefined();
    expect(first!.lastDeath).toBeUndefined();
    expect(second!.properties.persistent).toBe(false);
    expect(second!.position).not.toBe(first!.position);
    expect(await queue.status()).toMatchObject({ ready: 2, unsettled: 0 });
  }));

test("it changes neither attempts nor redelivered nor the order of what is delivered then", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await publishNumbers(queue, 1, 3);
    (await queue.get())!.requeue();
    await expect.poll(async () => (await queue.status()).ready).toBe(3);
    for (let round = 0; round < 3; round++) {
      const shown = await all(queue.browse());
      expect(shown.map((message) => [message.text(), message.attempts, message.redelivered])).toEqual([
        ["1", 1, true],
        ["2", 0, false],
        ["3", 0, false],
      ]);
    }
    const got = [await queue.get({ noAck: true }), await queue.get({ noAck: true })];
    expect(got.map((message) => [message!.text(), message!.attempts, message!.redelivered])).toEqual([
      ["1", 1, true],
      ["2", 0, false],
    ]);
  }));

test("messages with consumers are shown as unsettled, at their places", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await publishNumbers(queue, 1, 2);
    await queue.publish("3", { persistent: false });
    const second = [await queue.get(), await queue.get(), await queue.get()][1]!;
    second.requeue();
    await expect.poll(async () => (await queue.status()).ready).toBe(1);
    const shown = await all(queue.browse());
    expect(shown.map((message) => [message.text(), message.state])).toEqual([
      ["1", "unsettled"],
      ["2", "ready"],
      ["3", "unsettled"],
    ]);
    expect(await texts(queue.browse({ filter: { state: "unsettled" } }))).toEqual(["1", "3"]);
    expect(await texts(queue.browse({ filter: { state: "ready" } }))).toEqual(["2"]);
  }));

test.each([
  ["in memory", false],
  ["on disk", true],
])("pages follow each other by their cursor, whatever happens to the queue meanwhile (%s)", (_, onDisk) =>
  withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const queue = await posthorn.queue("q").declare();
      await publishNumbers(queue, 1, 10);
      let page = await queue.browsePage({ limit: 3 });
      expect(page.messages.map((message) => message.text())).toEqual(["1", "2", "3"]);
      // What was shown and what comes next go; what is new is behind the end.
      for (let i = 0; i < 5; i++) await queue.get({ noAck: true });
      await publishNumbers(queue, 11, 12);
      page = await queue.browsePage({ limit: 3, cursor: page.cursor! });
      expect(page.messages.map((message) => message.text())).toEqual(["6", "7", "8"]);
      page = await queue.browsePage({ limit: 3, cursor: page.cursor! });
      expect(page.messages.map((message) => message.text())).toEqual(["9", "10"]);
      expect(page.cursor).toBeUndefined();
      expect(await texts(queue.browse())).toEqual(upTo(12, 6));
    },
    { onDisk, config: { queueMemoryBytes: onDisk ? 1 : 1024 * 1024 } },
  ),
);

test("a backlog that is on disk only is shown whole, piece by piece, also after a restart", () =>
  withBroker(
    async ({ connect, restart }) => {
      let posthorn = await connect();
      let queue = await posthorn.queue("q").declare();
      await publishNumbers(queue, 1, 2500);
      await restart();
      posthorn = await connect();
      queue = posthorn.queue("q");
      const first = await queue.browsePage({ filter: { headerNames: ["none"] } });
      expect(first).toMatchObject({ messages: [], examined: 1000 });
      expect(first.cursor).toBeDefined();
      expect(await texts(queue.browse())).toEqual(upTo(2500));
      const got = (await queue.get())!;
      expect(got.text()).toBe("1");
      expect(await texts(queue.browse())).toEqual(upTo(2500));
      expect((await all(queue.browse({ filter: { state: "unsettled" } }))).map((m) => m.text())).toEqual([
        "1",
      ]);
    },
    { onDisk: true },
  ));

test("a filter finds messages by routing key, headers and what is in a JSON body", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    const exchange = await posthorn.exchange("e").declare({ type: "topic" });
    await queue.bind(exchange, "#");
    const order = (id: number, country: string, items: unknown[], note?: null) => ({
      id,
      customer: { country, "full name": "A B" },
      items,
      ...(note === null && { note }),
    });
    await exchange.publish("order.fr.paid", order(1, "FR", [{ sku: "a" }]), {
      headers: { tries: 3, trace: "x" },
    });
    await exchange.publish("order.de.paid", order(2, "DE", [{ sku: "b" }, { sku: "c" }], null), {
      headers: { tries: "3" },
    });
    await exchange.publish("order.fr.sent", order(3, "FR", []), { headers: { tries: 3 } });
    await exchange.publish("other", "{ not json");
    const ids = async (filter: object) =>
      (await all(queue.browse({ filter }))).map((message) =>
        message.routingKey === "other" ? 4 : message.json<{ id: number }>().id,
      );
    expect(await ids({ routingKey: "order.*.paid" })).toEqual([1, 2]);
    expect(await ids({ routingKey: "#" })).toEqual([1, 2, 3, 4]);
    expect(await ids({ headers: { tries: 3 } })).toEqual([1, 3]);
    expect(await ids({ headers: { tries: 3 }, headerNames: ["trace"] })).toEqual([1]);
    expect(await ids({ body: { "$.customer.country": "FR" } })).toEqual([1, 3]);
    expect(await ids({ body: { '$.customer["full name"]': "A B", "$.items[1].sku": "c" } })).toEqual([2]);
    expect(await ids({ body: { "$.items": [] } })).toEqual([3]);
    expect(await ids({ body: { "$.items[0]": { sku: "a" } } })).toEqual([1]);
    expect(await ids({ bodyPaths: ["$.items[0]"] })).toEqual([1, 2]);
    expect(await ids({ bodyPaths: ["$.note"] })).toEqual([2]);
    expect(await ids({ bodyPaths: ["$.items.length", "$.constructor"] })).toEqual([]);
    expect(await ids({ routingKey: "order.fr.#", body: { "$.id": 3 } })).toEqual([3]);
    expect(await ids({ reason: "rejected" })).toEqual([]);
  }));

test("a filter that makes no sense is refused with the part that is wrong", () =>
  withBroker(async ({ connect, raw }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    for (const path of [
      "a.b",
      "$.",
      "$..a",
      "$[*]",
      "$[-1]",
      "$.a[?(@.b)]",
      "$['a']",
      `$${".a".repeat(33)}`,
    ]) {
      await expect(queue.browsePage({ filter: { bodyPaths: [path] } }), path).rejects.toMatchObject({
        code: "invalid-argument",
        details: { path: path.slice(0, 80) },
      });
    }
    const many = Array.from({ length: 17 }, (_, i) => `h${i}`);
    await expect(queue.browsePage({ filter: { headerNames: many } })).rejects.toMatchObject({
      code: "limit-exceeded",
    });
    let deep: unknown = 1;
    for (let i = 0; i < 20; i++) deep = [deep];
    await expect(queue.browsePage({ filter: { body: { "$.a": deep } } })).rejects.toMatchObject({
      code: "invalid-argument",
    });
    await expect(queue.browsePage({ filter: { reason: "maxlen" as "expired" } })).rejects.toMatchObject({
      code: "invalid-argument",
      details: { field: "filter.reason", allowed: "rejected, expired, max-length, delivery-limit" },
    });
    const client = await raw();
    const wrong = { queue: "q", filter: { state: "lost", age: 1 } };
    expect(await client.request("queue.browse", wrong)).toMatchObject({ code: "invalid-frame" });
  }));

test("long bodies are cut, and say so", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await queue.publish("x".repeat(10_000));
    await queue.publish("12345");
    const [long, short] = await all(queue.browse());
    expect(long).toMatchObject({ size: 10_000, cut: true });
    expect(long!.text()).toBe("x".repeat(4096));
    expect(short).toMatchObject({ size: 5, cut: false });
    const [head, rest] = await all(queue.browse({ maxBodyBytes: 2 }));
    expect(head!.bytes).toHaveLength(2);
    expect([rest!.text(), rest!.size, rest!.cut]).toEqual(["12", 5, true]);
    expect((await all(queue.browse({ maxBodyBytes: 1_000_000 })))[0]!.text()).toHaveLength(10_000);
  }));

test("one call reads a bounded amount, however large the messages are", () =>
  withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const queue = await posthorn.queue("q").declare();
      const body = new Uint8Array(300_000);
      for (let i = 0; i < 10; i++) await queue.publish(body);
      const page = await queue.browsePage({ maxBodyBytes: 0 });
      expect(page.messages).toHaveLength(4);
      expect(page.cursor).toBeDefined();
      expect(await all(queue.browse())).toHaveLength(10);
    },
    { onDisk: true },
  ));

test("a message is deleted by its position, wherever it is; it is not dead-lettered", () =>
  withBroker(
    async ({ connect, restart }) => {
      let posthorn = await connect();
      await posthorn.queue("dead").declare();
      let queue = await posthorn.queue("q").declare({ deadLetterQueue: "dead" });
      await publishNumbers(queue, 1, 1000);
      // Some have been handed out, some are in memory, the others are on disk.
      (await queue.get())!.requeue();
      const positions = (await all(queue.browse())).map(({ position }) => position);
      for (const number of [1, 2, 3, 700, 999, 1000]) await queue.deleteMessage(positions[number - 1]!);
      const left = upTo(1000).filter((text) => ![1, 2, 3, 700, 999, 1000].includes(Number(text)));
      expect((await queue.status()).ready).toBe(994);
      expect(await texts(queue.browse())).toEqual(left);
      await expect(queue.deleteMessage(positions[699]!)).rejects.toMatchObject({ code: "not-found" });
      await restart();
      posthorn = await connect();
      queue = posthorn.queue("q");
      expect((await queue.status()).ready).toBe(994);
      const got = [];
      for await (const message of queue.consume({ noAck: true })) if (got.push(message.text()) === 994) break;
      expect(got).toEqual(left);
      expect((await posthorn.queue("dead").status()).ready).toBe(0);
    },
    { onDisk: true, config: { queueMemoryBytes: 64 * 1024 } },
  ));

test("messages that wait in their groups are shown, and can be deleted", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare({ messageGroups: { by: "header", name: "customer" } });
    for (const [text, customer] of [
      ["1", "a"],
      ["2", "b"],
      ["3", "a"],
      ["4", "b"],
    ]) {
      await queue.publish(text, { headers: { customer: customer! } });
    }
    const first = (await queue.get())!;
    const shown = await all(queue.browse());
    expect(shown.map((message) => [message.text(), message.state])).toEqual([
      ["1", "unsettled"],
      ["2", "ready"],
      ["3", "ready"],
      ["4", "ready"],
    ]);
    await queue.deleteMessage(shown[1]!.position);
    await queue.deleteMessage(shown[2]!.position);
    expect(await texts(queue.browse({ filter: { state: "ready" } }))).toEqual(["4"]);
    expect((await queue.status()).ready).toBe(1);
    expect((await queue.get())!.text()).toBe("4");
    first.ack();
    expect(await queue.get()).toBeUndefined();
  }));

test("what a consumer has cannot be deleted, until it comes back", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await queue.publish("1");
    const taken = (await queue.get())!;
    const [shown] = await all(queue.browse());
    await expect(queue.deleteMessage(shown!.position)).rejects.toMatchObject({
      code: "precondition-failed",
      details: { state: "unsettled" },
    });
    taken.requeue();
    await expect.poll(async () => (await queue.status()).ready).toBe(1);
    await queue.deleteMessage(shown!.position);
    expect(await queue.get()).toBeUndefined();
  }));

test("positions and cursors that were not given for this queue are refused", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const [queue, other] = [await posthorn.queue("q").declare(), await posthorn.queue("other").declare()];
    await publishNumbers(queue, 1, 3);
    await publishNumbers(other, 1, 3);
    const { cursor, messages } = await other.browsePage({ limit: 1 });
    for (const wrong of [
      cursor!,
      "",
      "x",
      "1.2",
      "1.2.3.4",
      "-1.2.3",
      "1.2.3,",
      "__proto__",
      "zzzzzzzzzzz.1.1",
    ]) {
      await expect(queue.browsePage({ cursor: wrong }), wrong).rejects.toMatchObject({
        code: "invalid-argument",
        details: { field: "cursor" },
      });
    }
    await expect(queue.deleteMessage(messages[0]!.position)).rejects.toMatchObject({ code: "not-found" });
    for (const wrong of ["", "x", "1.2.3", "1.-2", "a b"]) {
      await expect(queue.deleteMessage(wrong), wrong).rejects.toMatchObject({ code: "invalid-argument" });
    }
  }));

test("a queue that is not there, or is exclusive to someone else, cannot be browsed", () =>
  withBroker(async ({ raw }) => {
    const [owner, other] = [await raw(), await raw()];
    await owner.must("queue.declare", { queue: "mine", exclusive: true });
    for (const [type, fields] of [
      ["queue.browse", {}],
      ["queue.message.delete", { position: "1.1" }],
      ["queue.redrive", {}],
    ] as const) {
      expect(await other.request(type, { queue: "missing", ...fields })).toMatchObject({ code: "not-found" });
      expect(await other.request(type, { queue: "mine", ...fields })).toMatchObject({
        code: "resource-locked",
      });
    }
    expect(await owner.must("queue.browse", {})).toMatchObject({ messages: [], examined: 0 });
  }));
