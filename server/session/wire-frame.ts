const finalBinary = 0x82;
const length16 = 126;
const length64 = 127;

/** One binary WebSocket message as a server sends it, in one unmasked frame (RFC 6455, 5.2). Copies `payload`. */
export function wireFrame(payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const headBytes = length < length16 ? 2 : length < 0x10000 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = finalBinary;
  if (headBytes === 2) frame[1] = length;
  else if (headBytes === 4) {
    frame[1] = length16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = length64;
    frame.writeUIntBE(0, 2, 4);
    frame.writeUInt32BE(length, 6);
  }
  frame.set(payload, headBytes);
  return frame;
}
