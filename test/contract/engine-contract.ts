import { describe } from "vitest";
import { consumingContract } from "./engine/consuming.ts";
import type { OpenEngine } from "./engine/harness.ts";
import { publishingContract } from "./engine/publishing.ts";
import { recoveryContract } from "./engine/recovery.ts";
import { routingContract } from "./engine/routing.ts";
import { settlingContract } from "./engine/settling.ts";
import { sharingContract } from "./engine/sharing.ts";
import { topologyContract } from "./engine/topology.ts";

/** What every engine promises (`server/engine/engine.ts`), as sentences. */
export function engineContract(name: string, open: OpenEngine): void {
  describe(`${name} keeps what an engine promises`, () => {
    describe("about exchanges, queues and bindings:", () => topologyContract(open));
    describe("about routing:", () => routingContract(open));
    describe("to publishers:", () => publishingContract(open));
    describe("to consumers:", () => consumingContract(open));
    describe("about sharing out messages:", () => sharingContract(open));
    describe("about settlements:", () => settlingContract(open));
    describe("about restarts:", () => recoveryContract(open));
  });
}
