import { expect, test } from "vitest";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { readEnvelope, writeEnvelope } from "../../protocol/envelope.ts";
import type { EmbeddedEngine } from "../../server/embedded/embedded-engine.ts";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import type { RedriveOptions } from "../../server/engine/engine.ts";
import {
  done,
  owner,
  publication,
  queueNamed,
  RecordingPublisher,
  steppedEngine,
  textOf,
} from "../support/embedded.ts";

const someone = owner();
const everything: RedriveOptions = {
  to: "to",
  filter: {},
  mode: "move",
  dryRun: false,
  limit: 2,
  ratePerSecond: undefined,
  cursor: undefined,
};

function realEnvelope(text: string): Uint8Array {
  const writer = new ByteWriter();
  const body = new TextEncoder().encode(text);
  writeEnvelope(writer, { exchange: "", routingKey: "from", properties: { persistent: true }, body });
  return writer.written().slice();
}

async function texts(engine: EmbeddedEngine, queue: string): Promise<string[]> {
  const { messages } = await engine.browseQueue(
    queue,
    { cursor: undefined, limit: 100, filter: {} },
    someone,
  );
  return messages.map(({ envelope }) => textOf({ envelope: readEnvelope(envelope).body }));
}

test.each([0, 1, 2, 3])(
  "after a crash when %i of its commits are on disk, and the next is under way, a redrive has left each message in one queue",
  async (flushed) => {
    const store = new MemoryStore({ manualFlush: true });
    // So little memory that most of the messages are on disk only.
    const before = await steppedEngine({ store, queueMemoryBytes: 600 });
    const { engine, turns } = before;
    await done(before, engine.declareQueue(queueNamed("from"), someone));
    await done(before, engine.declareQueue(queueNamed("to"), someone));
    const publisher = new RecordingPublisher();
    for (let i = 1; i <= 6; i++) {
      engine.publish(publication(i, "from", "", { envelope: realEnvelope(`${i}`), bodyBytes: 1 }), publisher);
    }
    await before.rest();
    let cursor: string | undefined;
    for (let step = 0; step < 3; step++) {
      const redriven = engine.redrive("from", { ...everything, cursor }, someone);
      redriven.catch(() => {});
      turns.endAll();
      if (step === flushed) break;
      cursor = (await done(before, redriven)).cursor;
    }
    store.crash();
    const after = await steppedEngine({ store });
    const [from, to] = [await texts(after.engine, "from"), await texts(after.engine, "to")];
    const gone = 2 * flushed;
    expect(to).toEqual(["1", "2", "3", "4", "5", "6"].slice(0, gone));
    expect(from).toEqual(["1", "2", "3", "4", "5", "6"].slice(gone));
  },
);
