import { PosthornError } from "./errors.ts";

/** Standard base64 with padding; the same in Node and in browsers. */
export function base64Encode(bytes: Uint8Array): string {
  let binary = "";
  // In pieces: the arguments of one call are limited.
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(binary);
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
