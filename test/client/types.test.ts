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
  QueueDeclaration,
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

test("what the types refuse that the broker would refuse", () => {
  const declare = (_: QueueDeclaration) => {};
  // @ts-expect-error misspelt
  declare({ maxLenght: 5 });
  // @ts-expect-error misspelt inside
  declare({ retry: { initialDelayMs: 5 } });
  // @ts-expect-error a text for a number
  declare({ messageTtl: "60000" });
  // @ts-expect-error not one of those that there are
  declare({ maxLength: 5, overflow: "drop-tail" });
  const use = async (queue: Queue) => {
    // @ts-expect-error not an outcome
    await queue.consume(() => {}, { onError: "drop" });
    // @ts-expect-error nothing is no outcome
    await queue.consume(() => {}, { onError: () => {} });
    // @ts-expect-error what is ready need not be released
    await queue.releaseMessages({ filter: { state: "ready" } });
    // @ts-expect-error RabbitMQ's name of it
    await queue.browsePage({ filter: { reason: "maxlen" } });
  };
  expectTypeOf(use).parameter(0).toEqualTypeOf<Queue>();
});
