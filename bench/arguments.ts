import { parseArgs } from "node:util";
import { type Peer, parsePeer } from "./targets/peer.ts";

export interface Arguments {
  readonly peers: readonly Peer[];
  /** Processes of the peers, in their order, where they were given. */
  readonly peerPids: readonly number[];
  /** Commits of this project to compare with. */
  readonly against: readonly string[];
  readonly rawWs: boolean;
  readonly rounds: number;
  readonly scale: number;
  /** Parts of names; empty: all. */
  readonly workloads: readonly string[];
  readonly jsonFile: string | undefined;
  readonly htmlFile: string | undefined;
  /** Where the broker writes CPU profiles. */
  readonly profileDirectory: string | undefined;
  readonly help: boolean;
}

export const usage = `npm run bench -- [options] [WORKLOAD …]

  --peer [LABEL=]URL   also measure this broker; repeatable. It must run already, on this machine:
                       amqp://  nats://  ws:// (NATS)  redis://  stomp+ws://   ?queue=quorum for AMQP's queue type
  --peer-pid PID       process of the first, second, … peer, if it cannot be found by its port
  --against REF        also measure this commit of the project; repeatable
  --raw-ws             also measure a bare WebSocket hub, which does nothing but copy
  --workloads A,B      those whose names contain A or B; the same as naming them
  --rounds N           measured rounds (3)
  --scale X            lengthens or shortens everything (1)
  --json FILE          write the results
  --html FILE          write a report with charts
  --profile DIR        write a CPU profile of the broker for each workload (slower: no figures to quote)
`;

/** @throws Error with a sentence for the user. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      peer: { type: "string", multiple: true, default: [] },
      "peer-pid": { type: "string", multiple: true, default: [] },
      against: { type: "string", multiple: true, default: [] },
      "raw-ws": { type: "boolean", default: false },
      workloads: { type: "string", default: "" },
      rounds: { type: "string", default: "3" },
      scale: { type: "string", default: "1" },
      json: { type: "string" },
      html: { type: "string" },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const named = values.workloads.split(",").filter((part) => part !== "");
  return {
    peers: values.peer.map(parsePeer),
    peerPids: values["peer-pid"].map((pid) => wholeNumber("--peer-pid", pid)),
    against: values.against,
    rawWs: values["raw-ws"],
    rounds: wholeNumber("--rounds", values.rounds),
    scale: positive("--scale", values.scale),
    workloads: [...positionals, ...named],
    jsonFile: values.json,
    htmlFile: values.html,
    profileDirectory: values.profile,
    help: values.help,
  };
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${option} ${text}: this must be a whole number above 0.`);
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${option} ${text}: this must be a number above 0.`);
}
