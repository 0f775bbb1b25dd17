import type { RequestFrame, WelcomeFrame } from "../../protocol/frames.ts";
import { protocolVersion } from "../../protocol/version.ts";
import type { WelcomeFacts } from "./session-limits.ts";

const shortestHeartbeatMs = 1000;

/** The answer to a `hello` that has been accepted. */
export function welcomeFor(
  hello: RequestFrame<"hello">,
  user: string,
  { id, limits, product }: WelcomeFacts,
): WelcomeFrame {
  const { maxMessageBytes, maxHeaderBytes, maxFrameBytes, maxPrefetch, defaultPrefetch, maxConsumers } =
    limits;
  return {
    type: "welcome",
    id: hello.id,
    protocol: protocolVersion,
    session: id,
    resumeWindowMs: 0,
    user,
    encoding: hello.encoding ?? "json",
    heartbeatMs: agreedHeartbeat(hello.heartbeatMs, limits.heartbeatMs),
    limits: { maxMessageBytes, maxHeaderBytes, maxFrameBytes, maxPrefetch, defaultPrefetch, maxConsumers },
    server: product,
  };
}

/** The lower of both sides' wishes, within reason; a client that wants none gets none. */
function agreedHeartbeat(wished: number | undefined, proposed: number): number {
  if (wished === 0) return 0;
  return Math.max(shortestHeartbeatMs, Math.min(wished ?? proposed, proposed));
}
