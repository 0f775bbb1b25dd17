/** Rules for names, the same on both sides. Sources: AMQP 0-9-1 §3.1, §4.2; SEMANTICS rules 15, 16, 27, 35. */

/** Names, routing keys and short properties: at most this many bytes of UTF-8, as AMQP's short strings. */
export const maxNameBytes = 255;

/** Names that begin so belong to the broker. */
export const reservedPrefix = "amq.";

/** The default exchange: every queue is bound to it by its own name. */
export const defaultExchange = "";

/** Length in UTF-8 without encoding it. A lone surrogate counts as the three bytes of U+FFFD. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    bytes += 1;
    if (unit < 0x800) continue;
    const next = text.charCodeAt(i + 1);
    if (unit >= 0xd800 && unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) i++;
    // A surrogate pair is 2 units and 4 bytes; anything else above 0x7ff is 1 unit and 3 bytes.
    bytes += 1;
  }
  return bytes;
}

/** What is wrong with the length of a name, a routing key or a short property, as the end of a sentence. */
export function lengthProblem(text: string): string | undefined {
  const tooLong =
    text.length > maxNameBytes || (text.length * 3 > maxNameBytes && utf8Length(text) > maxNameBytes);
  return tooLong ? `is longer than ${maxNameBytes} bytes` : undefined;
}

/**
 * What is wrong with the name of an exchange, a queue or a consumer, as the end of a sentence. Routing keys may hold
 * any character.
 */
export function nameProblem(name: string): string | undefined {
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) return "contains a control character";
  }
  return lengthProblem(name);
}
