import { microtasks } from "../../support/embedded.ts";
import {
  declareQueue,
  deleteMessage,
  deleteQueue,
  pause,
  purge,
  redrive,
  releaseMessage,
  releaseMessages,
  setPolicy,
} from "./administering.ts";
import { Bench, picked } from "./bench.ts";
import type { Command } from "./commands.ts";
import { cancel, get, leave, passTime, settle, subscribe } from "./consuming.ts";
import type { History } from "./history.ts";
import { judgeMoment } from "./moment-judge.ts";
import { judgeConfirmed, publish } from "./publishing.ts";
import { crash, stop } from "./restarting.ts";
import { learnTurn } from "./turn-outcome.ts";

/** Does to a broker's engine and to the model the same, and fails where the two differ. */
export async function play({ topology, commands }: History): Promise<void> {
  const bench = new Bench(topology);
  await bench.start();
  for (const command of [...commands, { do: "stop", downMs: 0 } as const]) {
    // Any number will do, if it is another one each time and the same when the history is played again.
    bench.chance = (bench.chance + 0.618) % 1;
    bench.store.note();
    await perform(bench, command);
    await comeToRest(bench);
  }
}

async function perform(bench: Bench, command: Command): Promise<void> {
  switch (command.do) {
    case "publish":
      return publish(bench, command);
    case "get":
      for (let i = 0; i < command.count; i++) await get(bench, bench.queue(command.queue));
      return;
    case "subscribe":
      return subscribe(bench, bench.queue(command.queue), command);
    case "settle":
      return settle(bench, command);
    case "cancel":
      return cancel(picked(bench.consumers, command.consumer));
    case "leave":
      return leave(bench, picked(bench.consumers, command.consumer));
    case "pass":
      return pass(bench, command.ms);
    case "stall":
      return bench.clock.stall(command.ms);
    case "flush":
      return bench.store.flush(command.commits);
    case "pause":
    case "resume":
      return pause(bench, bench.queue(command.queue), command.do === "pause");
    case "purge":
      return purge(bench, bench.queue(command.queue));
    case "delete-queue":
      return deleteQueue(bench, bench.queue(command.queue), command.ifEmpty);
    case "declare-queue":
      return declareQueue(bench, command.queue);
    case "delete-message":
      return deleteMessage(bench, bench.queue(command.queue), command.at);
    case "release-message":
      return releaseMessage(bench, bench.queue(command.queue), command);
    case "release-messages":
      return releaseMessages(bench, bench.queue(command.queue), command);
    case "redrive":
      return redrive(bench, command);
    case "policy":
      return setPolicy(bench, command);
    case "crash":
      return crash(bench, command.downMs);
    case "stop":
      for (const holder of bench.holders) leave(bench, holder);
      await comeToRest(bench);
      return stop(bench, command.downMs);
  }
}

/** Time stops at each moment at which something is due. */
async function pass(bench: Bench, ms: number): Promise<void> {
  const { clock, model } = bench;
  const endAt = clock.now() + ms;
  while (clock.now() < endAt) {
    clock.advance(Math.min(model.nextAt, endAt) - clock.now());
    await comeToRest(bench);
  }
}

/** Everything happens that can without time passing. */
async function comeToRest(bench: Bench): Promise<void> {
  do {
    bench.store.note();
    letTimersGoOff(bench);
    passTime(bench);
    bench.turns.end();
    await microtasks();
    bench.throwProblems();
    await learnTurn(bench);
    judgeConfirmed(bench);
    bench.store.note();
  } while (bench.turns.pending > 0);
  await judgeMoment(bench);
}

function letTimersGoOff({ clock }: Bench): void {
  for (let begun = -1, left = -1; begun !== clock.timersBegun || left !== clock.timers; ) {
    begun = clock.timersBegun;
    left = clock.timers;
    clock.turn();
  }
}
