import { driverFor } from "../drivers/driver-for.ts";
import { listeningProcess } from "../process-figures.ts";
import type { Peer } from "./peer.ts";
import type { Target } from "./target.ts";

/** Asks the peer who it is. @throws Error if it cannot be reached. */
export async function peerTarget(peer: Peer, givenPid: number | undefined): Promise<Target> {
  const { address, port } = peer;
  const driver = await driverFor(address.kind);
  const client = await driver.connect(address).catch((error: unknown) => {
    throw new Error(`${address.url} cannot be reached: ${error instanceof Error ? error.message : error}`);
  });
  const variant = Object.values(address.options).join(" ");
  const label = peer.label ?? [client.product, variant].filter((part) => part !== "").join(" ");
  await client.close();
  const pid = givenPid ?? listeningProcess(port);
  return {
    label,
    kind: address.kind,
    async open() {
      return { address, pid, dataDirectory: undefined, restart: undefined, async close() {} };
    },
  };
}
