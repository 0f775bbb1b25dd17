/** The SDK of Posthorn, for Node and browsers. Begin with {@link connect}. */
export type { Death, DeathReason, NackReason } from "../protocol/delivery-history.ts";
export { type ErrorCode, type ErrorDetails, PosthornError } from "../protocol/errors.ts";
export type { Headers, HeaderValue } from "../protocol/header-value.ts";
export type { MessageProperties } from "../protocol/message.ts";
export type {
  BindingOutcome,
  ExplainedAlternate,
  ExplainedBinding,
  ExplainedExchange,
  RouteExplanation,
} from "../protocol/route-explanation.ts";
export type { BindOptions } from "./binding.ts";
export type { Body } from "./body.ts";
export type { BrowseOptions, BrowsePage, BrowsePageOptions } from "./browse.ts";
export type { BrowsedMessage } from "./browsed-message.ts";
export { connect } from "./connect.ts";
export type { ConsumeOptions, Consumer, FailureDelay, FailureOutcome, MessageHandler } from "./consumer.ts";
export type { EffectiveArgument, EffectiveArguments } from "./effective-arguments.ts";
export type { EnvelopeView } from "./envelope-view.ts";
export type { BlockedNotice, ConnectionState, GoawayNotice, PosthornEvents, StateChange } from "./events.ts";
export type { Exchange, ExchangeDeclaration, ExchangeStatus, ExchangeType } from "./exchange.ts";
export type { ExchangeArguments, HashOn } from "./exchange-arguments.ts";
export type { ExplainOptions } from "./explain.ts";
export type { NackReasonLike, ReceivedMessage, RequeueOptions } from "./message.ts";
export type { MessageFilter } from "./message-filter.ts";
export type { MessageStream, StreamOptions } from "./message-stream.ts";
export type { OnMismatch } from "./on-mismatch.ts";
export type { ConnectOptions, ReconnectOptions } from "./options.ts";
export type { Policies, Policy, PolicyDefinition } from "./policies.ts";
export type { Posthorn } from "./posthorn.ts";
export type { PublishReceipt } from "./publish.ts";
export type { PublishOptions } from "./publish-encoder.ts";
export type { PublishRetryOptions } from "./publish-retry.ts";
export type { Queue, QueueCounts, QueueDeclaration, QueueStatus } from "./queue.ts";
export type { QueueArguments } from "./queue-arguments.ts";
export type { RedriveCount, RedriveOptions, RedriveProgress, RedriveReport } from "./redrive.ts";
export type { ReleaseMessagesOptions } from "./release.ts";
export { ReturnedError } from "./returned-error.ts";
export type { SubscriptionOptions } from "./subscription.ts";
export type { WebSocketConstructor, WebSocketLike } from "./websocket.ts";
