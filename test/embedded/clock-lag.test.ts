import { beforeEach, describe, expect, test } from "vitest";
import { encodeMessage } from "../../protocol/binary-codec.ts";
import { decodeHistory } from "../../protocol/delivery-history.ts";
import { ClockLag } from "../../server/embedded/clock-lag.ts";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import { SteadyClock } from "../../server/steady-clock.ts";
import {
  done,
  owner,
  publication,
  queueNamed,
  RecordingPublisher,
  steppedEngine,
} from "../support/embedded.ts";
import { ManualTime } from "../support/manual-time.ts";

const hourMs = 3_600_000;

/** The system's clock, on a machine on which processes begin and end. */
let system: ManualTime;

beforeEach(() => {
  system = new ManualTime();
});

/** The clock of a process that begins now. */
function steadyClock(): SteadyClock {
  const time = system;
  const begunAt = time.elapsedMs;
  return new SteadyClock({ steadyMs: () => time.elapsedMs - begunAt, systemMs: time.now });
}

/** A process, with what the one before has written down. */
function begin(recordedMs?: unknown) {
  const clock = steadyClock();
  const recorded: number[] = [];
  const lag = new ClockLag({ clock, delay: system.delay, record: (lagMs) => recorded.push(lagMs) });
  lag.start(recordedMs);
  return { clock, lag, recorded };
}

describe("a steady clock", () => {
  test("has the system's time at first, and goes on evenly when that is set", () => {
    const clock = steadyClock();
    const begunAt = clock.now();
    expect(begunAt).toBe(system.now());
    system.advance(500);
    system.jump(-hourMs);
    expect(clock.now()).toBe(begunAt + 500);
    system.advance(500);
    system.jump(3 * hourMs);
    expect(clock.now()).toBe(begunAt + 1000);
    expect(clock.lagMs).toBe(2 * hourMs);
  });
});

describe("the time of the engine", () => {
  test.each([hourMs, -hourMs])(
    "goes on where it was after a restart, though the clock was set by %d ms",
    (byMs) => {
      const first = begin();
      system.advance(10_000);
      system.jump(byMs);
      system.advance(1000);
      expect(first.recorded).toEqual([byMs]);
      const dueAt = first.clock.now() + 5000;
      first.lag.stop();
      system.advance(2000);
      const second = begin(first.recorded.at(-1));
      expect(second.clock.now()).toBe(dueAt - 3000);
      system.advance(60_000);
      expect(second.recorded).toEqual([]);
    },
  );

  test("counts what the clock was set by over several restarts", () => {
    let recorded: number | undefined;
    const begunAt = system.now();
    for (let round = 0; round < 3; round++) {
      const { lag, recorded: changes } = begin(recorded);
      system.jump(hourMs);
      system.advance(1000);
      lag.stop();
      recorded = changes.at(-1);
    }
    expect(recorded).toBe(3 * hourMs);
    expect(begin(recorded).clock.now()).toBe(begunAt + 3000);
  });

  test("is written down only when it has come apart from the system's by more than a second", () => {
    const { recorded } = begin();
    for (let i = 0; i < 10; i++) {
      system.jump(90);
      system.advance(60_000);
    }
    expect(recorded).toEqual([]);
    system.jump(200);
    system.advance(1000);
    expect(recorded).toEqual([1100]);
  });

  test("is written down at the end, if the clock was set since the last look", () => {
    const { lag, recorded } = begin();
    system.jump(hourMs);
    lag.stop();
    expect(recorded).toEqual([hourMs]);
    system.jump(hourMs);
    system.advance(10_000);
    expect(recorded).toEqual([hourMs]);
    expect(system.timers).toBe(0);
  });

  test.each([undefined, null, "1000", Number.NaN])(
    "begins with the system's if %s was written down",
    (recorded) => {
      const { clock } = begin(recorded);
      expect(clock.now()).toBe(system.now());
    },
  );
});

test("an engine goes on with its time where the one before it was", async () => {
  const store = new MemoryStore({ manualFlush: true });
  const clock = steadyClock();
  const engineOn = (steadyClock: SteadyClock) =>
    steppedEngine({ store, now: steadyClock.now, delay: system.delay, steadyClock });
  const first = await engineOn(clock);
  system.jump(hourMs);
  system.advance(1000);
  await first.rest();
  store.crash();
  const next = steadyClock();
  await engineOn(next);
  expect(next.now()).toBe(clock.now());
});

test("a death is dated as the system's clock says, though that was set", async () => {
  const steady = steadyClock();
  const stepped = await steppedEngine({ now: steady.now, delay: system.delay, steadyClock: steady });
  const { engine } = stepped;
  const me = owner();
  const work = queueNamed("work", { arguments: { deadLetterQueue: "dead" } });
  await done(stepped, engine.declareQueue(work, me));
  await done(stepped, engine.declareQueue(queueNamed("dead"), me));
  const message = {
    exchange: "",
    routingKey: "work",
    properties: { persistent: true },
    body: new Uint8Array(),
  };
  const envelope = encodeMessage(message);
  engine.publish(publication(1, "work", "", { envelope }), new RecordingPublisher());
  await stepped.rest();
  system.jump(-hourMs);
  const take = async (queue: string) => (await engine.get(queue, { noAck: false }, me)).delivery!;
  engine.settle([await take("work")], "reject");
  const { history } = await take("dead");
  expect(decodeHistory(history!)?.deaths).toMatchObject([{ queue: "work", time: system.now() }]);
});
