/**
 * Bodies that say which message they are, so that a message is recognised wherever its bytes turn up: in a write to the store's
 * file, or in what is read back.
 */

/** By how it publishes: many at once in the binary encoding, or one after the other in JSON. */
export type Publisher = "binary" | "json";

const pattern = /<(binary|json):(\d+):(\d+)>/g;

/** The message's name: unique in a run. */
export function markOf(publisher: Publisher, number: number): string {
  return `${publisher}:${number}`;
}

export function markedBody(publisher: Publisher, number: number, bytes: number): string {
  const mark = `<${publisher}:${number}:${bytes}>`;
  return mark + fillerOf(number, bytes);
}

/** The marks of all messages whose beginning is in these bytes. */
export function marksIn(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return [...text.matchAll(pattern)].map(([, publisher, number]) => `${publisher}:${number}`);
}

/** The mark of the one message that this envelope is of; throws if its body is not as it was published. */
export function markOfIntact(envelope: Uint8Array): string {
  const text = Buffer.from(envelope.buffer, envelope.byteOffset, envelope.length).toString("latin1");
  const match = [...text.matchAll(pattern)][0];
  if (match === undefined) throw new Error("An envelope without a mark.");
  const [mark, publisher, number, bytes] = match as unknown as [string, string, string, string];
  if (text.slice(match.index + mark.length) !== fillerOf(Number(number), Number(bytes)))
    throw new Error(`The body of ${publisher}:${number} is not what was published.`);
  return `${publisher}:${number}`;
}

function fillerOf(number: number, bytes: number): string {
  return String.fromCharCode(97 + (number % 26)).repeat(bytes);
}
