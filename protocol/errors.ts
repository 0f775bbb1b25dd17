/**
 * The catalogue of errors: the one place where codes, numbers and close codes are given out.
 * Numbers and close codes are never reused; `test/vectors/errors.json` pins them.
 */

/** Where an error comes from, and what it ends. */
export type ErrorScope =
  /** Answers one request, one message or one settlement; the session goes on. */
  | "request"
  /** Ends the session with the close code given. */
  | "session"
  /** Raised by a client itself; never on the wire. */
  | "client";

export interface ErrorRow {
  /** How the code travels in binary frames. */
  readonly number: number;
  readonly scope: ErrorScope;
  /** WebSocket close code of session errors: 4000–4499 mean "come back", 4500–4999 "do not". */
  readonly closeCode?: number;
  /** The AMQP 0-9-1 reply code that it corresponds to. */
  readonly amqp?: number;
  /** The same request may succeed later, unchanged. */
  readonly retry: boolean;
  readonly meaning: string;
}

function request(number: number, amqp: number, retry: boolean, meaning: string) {
  return { number, scope: "request", amqp, retry, meaning } as const;
}

function session(number: number, closeCode: number, amqp: number, meaning: string) {
  return { number, scope: "session", closeCode, amqp, retry: closeCode < 4500, meaning } as const;
}

function client(number: number, retry: boolean, meaning: string) {
  return { number, scope: "client", retry, meaning } as const;
}

export const errorCatalogue = {
  "not-found": request(1, 404, false, "The exchange or queue named does not exist."),
  "access-refused": request(2, 403, false, "The name is reserved, or the user may not do this."),
  "resource-locked": request(3, 405, false, "The queue is exclusive to another session."),
  "precondition-failed": request(
    4,
    406,
    false,
    "What exists differs from what was declared, or a condition (if-unused, if-empty) does not hold. `details` name the differences.",
  ),
  "not-implemented": request(
    5,
    540,
    false,
    "The feature is part of the protocol, but this broker does not have it yet.",
  ),
  "invalid-frame": request(
    6,
    502,
    false,
    "The frame does not fit its schema: `details.problems` name each field. Also text that is not a JSON object.",
  ),
  "unknown-frame-type": request(7, 503, false, "The broker knows no frame of this type from a client."),
  "invalid-argument": request(8, 406, false, "A field has the right type but a value that is not allowed."),
  "no-route": request(
    9,
    312,
    false,
    "No queue is bound for this message, and it was published as mandatory.",
  ),
  "message-too-large": request(
    10,
    311,
    false,
    "The body or the headers exceed the limit announced in `welcome`.",
  ),
  "limit-exceeded": request(
    11,
    506,
    false,
    "One more would exceed a limit of the broker; `details` name the limit.",
  ),
  "unknown-delivery": request(
    12,
    406,
    false,
    "A settlement names a delivery that is not outstanding. Nothing was settled.",
  ),
  "consumer-tag-in-use": request(13, 530, false, "The session has a consumer with this tag."),
  "in-use": request(
    14,
    403,
    false,
    "Exclusive access was asked for or is held: another consumer is in the way.",
  ),
  "already-open": request(15, 503, false, "A second `hello` on a session that is open."),
  "queue-deleted": request(16, 404, false, "Sent with `consumer.cancelled`: the queue has gone."),
  "internal-error": request(17, 541, true, "The broker failed. The log of the broker says why."),
  "disk-full": request(
    18,
    506,
    true,
    "The broker's disk is nearly full: it writes no new message until `unblocked`. Everything else goes on.",
  ),
  "memory-high": request(
    19,
    506,
    true,
    "The broker's memory is nearly used up: it takes no new message until `unblocked`. Everything else goes on.",
  ),
  "delivery-expired": request(
    20,
    406,
    false,
    "The delivery was not settled within its `ackTimeout`, and the message has gone back to its queue. Whatever else was settled with it is.",
  ),
  "queue-full": request(
    21,
    506,
    true,
    "A queue that the message is for has as much as it may (`overflow` is `reject-publish`). Other queues may have taken it.",
  ),

  "shutting-down": session(
    64,
    4000,
    320,
    "The broker is stopping or draining. Reconnect after the time given in `goaway`.",
  ),
  "heartbeat-timeout": session(65, 4001, 320, "Nothing was heard for two heartbeat intervals."),
  "slow-consumer": session(
    66,
    4002,
    506,
    "The client did not read, and the bytes kept for it reached the limit.",
  ),
  "session-failed": session(
    67,
    4003,
    541,
    "The broker could not go on with this session. The log of the broker says why.",
  ),
  "too-many-connections": session(
    68,
    4004,
    506,
    "The broker has as many connections as it is allowed, in all or from this address.",
  ),
  "hello-timeout": session(69, 4005, 320, "No valid `hello` came within the time allowed."),
  "too-many-failures": session(
    70,
    4006,
    403,
    "Too many failed logins from this address. Try again in a minute.",
  ),
  "frame-error": session(
    96,
    4500,
    501,
    "A binary message that cannot be read, or a publish number out of order: what follows cannot be trusted.",
  ),
  "unsupported-protocol": session(97, 4501, 530, "The broker does not speak the protocol version asked for."),
  "hello-required": session(98, 4502, 504, "The first frame was not a valid `hello`."),
  "authentication-failed": session(99, 4503, 403, "The credentials are missing or wrong."),

  "connection-closed": client(
    128,
    true,
    "The session ended before an answer came: it is not known whether the request was carried out.",
  ),
  "connect-failed": client(129, true, "No connection could be made."),
  "buffer-full": client(130, true, "More was published while disconnected than the client may keep."),
  timeout: client(131, true, "No answer came in time."),
  aborted: client(132, false, "The caller's AbortSignal fired."),
  closed: client(133, false, "The client was closed by its owner."),
  "invalid-body": client(134, false, "The body cannot be read as asked for, for example as JSON."),
} as const satisfies { readonly [code: string]: ErrorRow };

export type ErrorCode = keyof typeof errorCatalogue;

/** A code that ends a session. */
export type SessionErrorCode = {
  [C in ErrorCode]: (typeof errorCatalogue)[C]["scope"] extends "session" ? C : never;
}[ErrorCode];

/** More about an error, for programs: names, limits, differences. */
export type ErrorDetails = { readonly [name: string]: unknown };

/** The one class of errors that Posthorn raises, on both sides. Tell them apart by `code`, never by the text. */
export class PosthornError extends Error {
  override readonly name: string = "PosthornError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }

  /** The same request may succeed later, unchanged. */
  get retry(): boolean {
    // A newer broker may use a code that is not in this catalogue.
    const row: ErrorRow | undefined = errorCatalogue[this.code];
    return row?.retry ?? false;
  }
}

const codesByNumber = new Map<number, ErrorCode>();
for (const [code, row] of Object.entries(errorCatalogue)) codesByNumber.set(row.number, code as ErrorCode);

/** The number of a code. A code of a newer broker travels as `internal-error`. */
export function errorNumber(code: ErrorCode): number {
  const row: ErrorRow | undefined = errorCatalogue[code];
  return row?.number ?? errorCatalogue["internal-error"].number;
}

/** The code with this number. A number of a newer broker reads as `internal-error`. */
export function errorCodeByNumber(number: number): ErrorCode {
  return codesByNumber.get(number) ?? "internal-error";
}

/** Whether a WebSocket close code invites the client to reconnect: 4500–4999 do not, and neither does a normal close. */
export function mayReconnect(closeCode: number): boolean {
  return closeCode !== 1000 && (closeCode < 4500 || closeCode > 4999);
}
