import { type ConfirmProof, proveConfirms } from "./confirm-proof.ts";
import { load } from "./load.ts";
import { seeded } from "./seeded.ts";
import { startTracedBroker, storeFileOf } from "./traced-broker.ts";

export interface ConfirmProofOptions {
  /** An empty directory of its own. */
  readonly directory: string;
  readonly seed: number;
  readonly messages: number;
}

/** Loads a broker under strace and holds its confirms against what it did to the disk. */
export async function confirmProofRound({
  directory,
  seed,
  messages,
}: ConfirmProofOptions): Promise<ConfirmProof> {
  const dataDir = `${directory}/data`;
  const traceFile = `${directory}/trace`;
  const broker = await startTracedBroker({ dataDir, traceFile });
  await load({ url: broker.url, random: seeded(seed), maxBytes: 100_000, messages });
  const { exitCode } = await broker.stop();
  if (exitCode !== 0) throw new Error(`The broker ended with ${exitCode}: ${broker.stderr()}`);
  return proveConfirms(traceFile, storeFileOf(dataDir));
}
