/** What a header, or an argument of a declaration, can hold: AMQP's field values as JavaScript has them. */
export type HeaderValue =
  /** AMQP's void. */
  | null
  | boolean
  /** Whole numbers within ±(2^53 − 1) travel as integers, all others as IEEE 754 doubles. */
  | number
  /** A signed 64-bit integer; one that fits a safe `number` comes back as `number`. */
  | bigint
  | string
  | Uint8Array
  /** AMQP's timestamp, in whole milliseconds. */
  | Date
  | readonly HeaderValue[]
  | { readonly [name: string]: HeaderValue };

/** Message headers, or AMQP's "field table". */
export type Headers = { readonly [name: string]: HeaderValue };
