/**
 * The words of a routing key or binding key: what stands between the dots. An empty word is a word, so `"."` has two
 * and `"a."` has two; but the empty key has none (where `"".split(".")` would say one).
 */
export function topicWords(key: string): readonly string[] {
  return key === "" ? [] : key.split(".");
}
