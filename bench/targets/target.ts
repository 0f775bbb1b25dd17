import type { Address } from "../drivers/driver.ts";

/** A broker that is measured. */
export interface Target {
  readonly label: string;
  readonly kind: Address["kind"];
  /** Makes it ready for a workload: starts it if it is ours to start. */
  open(): Promise<OpenTarget>;
}

export interface OpenTarget {
  readonly address: Address;
  /** Its process, where it runs on this machine and we may look at it. */
  readonly pid: number | undefined;
  /** Where its data lies, if it is ours. */
  readonly dataDirectory: string | undefined;
  /** Stops and starts it on the same data; undefined if it is not ours. */
  readonly restart: (() => Promise<void>) | undefined;
  close(): Promise<void>;
}
