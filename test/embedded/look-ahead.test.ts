import { expect, test } from "vitest";
import { encodeMessage } from "../../protocol/binary-codec.ts";
import {
  done,
  owner,
  publication,
  queueNamed,
  RecordingConsumer,
  RecordingPublisher,
  steppedEngine,
  subscribing,
} from "../support/embedded.ts";

test("when messages of a group are dropped as too many, those that they hid from view are delivered", async () => {
  const me = owner();
  const stepped = await steppedEngine({ queueMemoryBytes: 2000 });
  const { engine } = stepped;
  const args = { messageGroups: {}, maxLength: 3 };
  await done(stepped, engine.declareQueue(queueNamed("q", { arguments: args }), me));
  const consumer = new RecordingConsumer();
  (await engine.subscribe("q", subscribing(), me, consumer)).resume();
  // One goes out, three wait for it and take all the memory for those that wait, and the last is of another group.
  for (const [i, group] of ["x", "x", "x", "x", "y"].entries()) {
    const properties = { persistent: true, headers: { group } };
    const envelope = encodeMessage({ exchange: "", routingKey: "q", properties, body: new Uint8Array(500) });
    engine.publish(publication(i, "q", "", { envelope, bodyBytes: 500 }), new RecordingPublisher());
  }
  await stepped.rest();
  expect(consumer.deliveries).toHaveLength(2);
  expect(await engine.inspectQueue("q", me)).toMatchObject({ ready: 2, unsettled: 2 });
});

test("a message that is released is delivered before those of its group behind it, however many have been looked at", async () => {
  const me = owner();
  const stepped = await steppedEngine({ queueMemoryBytes: 2000 });
  const { engine } = stepped;
  const args = { messageGroups: {}, deliveryLimit: 1 };
  await done(stepped, engine.declareQueue(queueNamed("q", { arguments: args }), me));
  for (let i = 1; i <= 5; i++) {
    const properties = { persistent: true, headers: { group: "x" } };
    const body = new Uint8Array(500).fill(i);
    const envelope = encodeMessage({ exchange: "", routingKey: "q", properties, body });
    engine.publish(publication(i, "q", "", { envelope, bodyBytes: 500 }), new RecordingPublisher());
  }
  const next = async () => (await engine.get("q", { noAck: false }, me)).delivery!;
  engine.settle([await next()], "requeue");
  await stepped.rest();
  await next().then((delivery) => engine.settle([delivery], "release"));
  const filter = { state: "parked" } as const;
  const { messages } = await engine.browseQueue("q", { cursor: undefined, limit: 10, filter }, me);
  await done(stepped, engine.releaseMessage("q", messages[0]!.position, me));
  expect((await next()).envelope.at(-1)).toBe(1);
});
