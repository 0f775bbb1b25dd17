import { expectTypeOf, test } from "vitest";
import type { WebSocket as WsWebSocket } from "ws";
import type {
  ConnectOptions,
  Consumer,
  Exchange,
  MessageStream,
  PolicyDefinition,
  Posthorn,
  PublishReceipt,
  Queue,
  QueueStatus,
  ReceivedMessage,
  WebSocketConstructor,
} from "../../client/index.ts";

test("what the types promise", () => {
  expectTypeOf<Exchange["publish"]>().returns.resolves.toEqualTypeOf<PublishReceipt>();
  expectTypeOf<Exchange["declare"]>().returns.resolves.toExtend<Exchange>();
  expectTypeOf<Queue["get"]>().returns.resolves.toEqualTypeOf<ReceivedMessage | undefined>();
  expectTypeOf<Posthorn>().toExtend<AsyncDisposable>();
  expectTypeOf<typeof globalThis.WebSocket>().toExtend<WebSocketConstructor>();
  expectTypeOf<typeof WsWebSocket>().toExtend<WebSocketConstructor>();

  const use = async (queue: Queue) => {
    expectTypeOf(queue.consume({ prefetch: 1 })).toEqualTypeOf<MessageStream>();
    expectTypeOf(await queue.consume(() => {})).toEqualTypeOf<Consumer>();
    for await (const message of queue.consume()) {
      expectTypeOf(message).toEqualTypeOf<ReceivedMessage>();
      expectTypeOf(message.json<{ id: number }>()).toEqualTypeOf<{ id: number }>();
      expectTypeOf(message.json()).toEqualTypeOf<unknown>();
    }
  };
  expectTypeOf(use).parameter(0).toEqualTypeOf<Queue>();

  expectTypeOf<QueueStatus["effectiveArguments"]["maxLength"]["value"]>().toEqualTypeOf<number | undefined>();
  expectTypeOf<{
    pattern: string;
    appliesTo: "exchanges";
    arguments: { maxLength: number };
  }>().not.toExtend<PolicyDefinition>();
  expectTypeOf<{
    pattern: string;
    appliesTo: "queues";
    arguments: { maxLength: number };
  }>().toExtend<PolicyDefinition>();

  // @ts-expect-error an option that does not exist
  const options: ConnectOptions = { heartbeat: 5 };
  expectTypeOf(options).toEqualTypeOf<ConnectOptions>();
});
