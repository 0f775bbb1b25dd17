/** The WebSocket subprotocol, and with it the layout of binary frames. */
export const subprotocol = "posthorn.v1";

/** Sent in `hello`; a broker refuses a version that it does not speak. */
export const protocolVersion = 1;
