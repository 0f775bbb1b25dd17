import { ByteWriter } from "../protocol/byte-writer.ts";
import type { Death, DeliveryHistory, NackReason } from "../protocol/delivery-history.ts";
import { writeEnvelope } from "../protocol/envelope.ts";
import type { Reply } from "../protocol/frames.ts";
import { messageFromJson } from "../protocol/json-codec.ts";
import { EnvelopeView } from "./envelope-view.ts";

type Shown = Reply<"queue.browse">["messages"][number];

/** A message in a queue, looked at without being taken: there is nothing to settle. */
export class BrowsedMessage extends EnvelopeView {
  /** Names the message's place in the queue, for `queue.deleteMessage` and `queue.releaseMessage`. Not the `messageId`, which the publisher chose. */
  readonly position: string;
  /**
   * As of the moment when it was looked at. `ready` for delivery; `unsettled`: with a consumer, or taken by `get`; `delayed`: comes
   * back at {@link delayedUntil}; `parked`: stays until somebody releases or deletes it.
   */
  readonly state: Shown["state"];
  /** Bytes of the whole body. */
  readonly size: number;
  /** `bytes` has only the beginning of the body: it is longer than `maxBodyBytes`. */
  readonly cut: boolean;
  /** It may have been delivered before, to whomever. */
  readonly redelivered: boolean;
  /** How often it was handed out before, as far as the broker knows. */
  readonly attempts: number;
  /** When it expires; `undefined`: never. */
  readonly expiresAt: Date | undefined;
  /** When it comes back by itself; `undefined`: it is not delayed. */
  readonly delayedUntil: Date | undefined;
  /** The queues that it was dead-lettered from, and why: the latest first. Empty if it never was. */
  readonly deaths: readonly Death[];
  /** Its first death, also when that is no longer among {@link deaths}. */
  readonly firstDeath: DeliveryHistory["firstDeath"];
  /** What the consumer said that gave it back last, here or in a queue before. */
  readonly nackReason: NackReason | undefined;

  /** @internal */
  constructor(shown: Shown) {
    const writer = new ByteWriter();
    writeEnvelope(writer, messageFromJson(shown));
    super(writer.written());
    this.position = shown.position;
    this.state = shown.state;
    this.size = shown.size;
    this.cut = shown.cut ?? false;
    this.redelivered = shown.redelivered ?? false;
    this.attempts = shown.attempts ?? 0;
    this.expiresAt = shown.expiresAt === undefined ? undefined : new Date(shown.expiresAt);
    this.delayedUntil = shown.delayedUntil === undefined ? undefined : new Date(shown.delayedUntil);
    this.deaths = shown.deaths ?? [];
    this.firstDeath = shown.firstDeath;
    this.nackReason = shown.nackReason;
  }

  /** Its latest death. */
  get lastDeath(): Death | undefined {
    return this.deaths[0];
  }
}
