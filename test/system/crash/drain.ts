import { connect, type Queue, type ReceivedMessage } from "../../../client/index.ts";
import { startBrokerProcess } from "../../support/broker-process.ts";
import { numberOf } from "./consumers.ts";
import type { Found, FoundMessage } from "./ledger.ts";
import { Prover } from "./prover.ts";

/** Starts the broker again, takes everything out of the queues of all places, and stops it in order. */
export async function drain(dataDir: string, places: ReadonlyMap<string, readonly string[]>): Promise<Found> {
  const broker = await startBrokerProcess(["--data-dir", dataDir, "--port", "0", "--log-level", "info"]);
  const posthorn = await connect(broker.url, { reconnect: false });
  const found = new Map<string, FoundMessage[][]>();
  for (const [place, names] of places) {
    const queues: FoundMessage[][] = [];
    for (const name of names) queues.push(await drainQueue(posthorn.queue(name)));
    found.set(place, queues);
  }
  await Prover.clean(posthorn);
  await posthorn.close();
  const exitCode = await broker.stop();
  if (exitCode !== 0) throw new Error(`The broker ended with ${exitCode} after a recovery.`);
  return found;
}

async function drainQueue(queue: Queue): Promise<FoundMessage[]> {
  const states = await releaseAll(queue);
  const messages: FoundMessage[] = [];
  const { ready } = await queue.status();
  if (ready === 0) return messages;
  for await (const message of queue.consume({ prefetch: 1000 })) {
    messages.push(found(message, states.get(numberOf(message))));
    message.ack();
    if (messages.length === ready) break;
  }
  const { delayed, parked, ready: left } = await queue.status();
  if (delayed + parked + left > 0) throw new Error("There was more in the queue than it counted.");
  return messages;
}

/** Makes everything ready, and returns what was set aside. */
async function releaseAll(queue: Queue): Promise<Map<number, "delayed" | "parked">> {
  const states = new Map<number, "delayed" | "parked">();
  for (const state of ["parked", "delayed"] as const) {
    for await (const shown of queue.browse({ filter: { state } })) states.set(numberOf(shown), state);
    await queue.releaseMessages({ filter: { state } });
  }
  return states;
}

function found(message: ReceivedMessage, state: FoundMessage["state"] = "ready"): FoundMessage {
  const { attempts, nackReason, deaths } = message;
  const countOf = (reason: string) =>
    deaths.reduce((sum, death) => sum + (death.reason === reason ? death.count : 0), 0);
  return {
    number: numberOf(message),
    attempts,
    lastAttempt: nackReason && Number(nackReason.message),
    rejections: countOf("rejected"),
    givenUp: countOf("delivery-limit"),
    state,
  };
}
