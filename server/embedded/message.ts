/** A message inside the engine. One object a publish, however many queues it goes to. */
export class Message {
  /** Given when the message is first written; 0 until then. */
  id = 0;
  /** Entries that are to be written with the next commit and are not settled yet. At 0 the message is never written. */
  unwritten = 0;
  /** In the committer's list already. */
  isQueued = false;
  readonly envelope: Uint8Array;
  readonly bodyBytes: number;
  readonly persistent: boolean;
  readonly priority: number;

  constructor(envelope: Uint8Array, bodyBytes: number, persistent: boolean, priority: number) {
    this.envelope = envelope;
    this.bodyBytes = bodyBytes;
    this.persistent = persistent;
    this.priority = priority;
  }
}
