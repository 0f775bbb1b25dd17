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
