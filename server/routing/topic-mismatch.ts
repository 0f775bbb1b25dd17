/** Why a topic binding key does not match a routing key, as a sentence. It is taken for granted that it does not. */
export function topicMismatch(bindingKey: string, routingKey: string): string {
  const [pattern, words] = [wordsOf(bindingKey), wordsOf(routingKey)];
  const needed = pattern.filter((word) => word !== "#").length;
  const isExact = needed === pattern.length;
  if (isExact ? words.length !== needed : words.length < needed) {
    const wants = `${isExact ? "" : "at least "}${needed} ${needed === 1 ? "word" : "words"}`;
    return `The pattern wants ${wants}, the routing key has ${words.length}.`;
  }
  // Up to the first `#` the words stand at the same places from the front, behind the last one from the end.
  const differs = (word: string | undefined, at: number) =>
    word !== undefined && word !== "#" && word !== "*" && word !== words.at(at);
  for (const [at, word] of pattern.entries()) {
    if (word === "#") break;
    if (differs(word, at)) return otherWord(at, words, word);
  }
  for (let at = -1; pattern.at(at) !== "#" && -at <= pattern.length; at--) {
    const word = pattern.at(at) as string;
    if (differs(word, at)) return otherWord(words.length + at, words, word);
  }
  return "The words between two # of the pattern are not there in this order.";
}

function otherWord(at: number, words: readonly string[], wanted: string): string {
  return `Word ${at + 1} is ${JSON.stringify(words[at])}, not ${JSON.stringify(wanted)}.`;
}

/** The empty key has no words, but `"."` has two empty ones. */
function wordsOf(key: string): readonly string[] {
  return key === "" ? [] : key.split(".");
}
