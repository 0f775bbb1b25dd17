import { expect, test } from "vitest";
import { MaintenanceLoop } from "../../server/embedded/maintenance-loop.ts";
import type { MaintenanceNeed } from "../../server/embedded/store/store.ts";
import { microtasks } from "../support/embedded.ts";

class Maintained {
  readonly delays: number[] = [];
  readonly failures: unknown[] = [];
  isBusy = false;
  /** Ends the step that is being done. */
  endStep: (need: MaintenanceNeed) => Promise<void> = () =>
    Promise.reject(new Error("No step is being done."));
  failStep: (error: Error) => Promise<void> = () => Promise.reject(new Error("No step is being done."));
  steps = 0;
  #callback: (() => void) | undefined;
  readonly loop = new MaintenanceLoop({
    store: {
      maintain: () =>
        new Promise((resolve, reject) => {
          this.steps++;
          this.endStep = (need) => {
            resolve(need);
            return microtasks();
          };
          this.failStep = (error) => {
            reject(error);
            return microtasks();
          };
        }),
    },
    delay: (delayMs, callback) => {
      this.delays.push(delayMs);
      this.#callback = callback;
    },
    isBusy: () => this.isBusy,
    onFailure: (error) => this.failures.push(error),
  });

  timePasses(): void {
    const callback = this.#callback;
    this.#callback = undefined;
    callback?.();
  }
}

test("steps follow each other soon while there is more to do, later while the disk is busy, and rarely at rest", async () => {
  const maintained = new Maintained();
  maintained.loop.start();
  maintained.timePasses();
  await maintained.endStep("more");
  maintained.isBusy = true;
  maintained.timePasses();
  await maintained.endStep("more");
  maintained.timePasses();
  await maintained.endStep("nothing");
  const [atRest, soon, busy, atRestAgain] = maintained.delays;
  expect(maintained.delays).toHaveLength(4);
  expect(soon).toBeLessThan(busy!);
  expect(busy).toBeLessThan(atRest!);
  expect(atRestAgain).toBe(atRest);
});

test("when the store falls behind, steps follow each other soon, however busy the disk is", async () => {
  const maintained = new Maintained();
  maintained.loop.start();
  maintained.timePasses();
  await maintained.endStep("more");
  maintained.isBusy = true;
  maintained.timePasses();
  await maintained.endStep("behind");
  const [, soon, behind] = maintained.delays;
  expect(behind).toBe(soon);
});

test("there is never more than one step at a time", async () => {
  const maintained = new Maintained();
  maintained.loop.start();
  maintained.timePasses();
  maintained.timePasses();
  expect(maintained.steps).toBe(1);
  expect(maintained.delays).toHaveLength(1);
  await maintained.endStep("more");
  expect(maintained.delays).toHaveLength(2);
});

test("stopping waits for the step that is being done, and none follows", async () => {
  const maintained = new Maintained();
  maintained.loop.start();
  maintained.timePasses();
  let isStopped = false;
  const stopped = maintained.loop.stop().then(() => {
    isStopped = true;
  });
  await microtasks();
  expect(isStopped).toBe(false);
  await maintained.endStep("more");
  await stopped;
  maintained.timePasses();
  expect(maintained.steps).toBe(1);
  expect(maintained.delays).toHaveLength(1);
});

test("a loop that is stopped between two steps does no other", async () => {
  const maintained = new Maintained();
  maintained.loop.start();
  await maintained.loop.stop();
  maintained.timePasses();
  expect(maintained.steps).toBe(0);
});

test("a step that fails is reported, and none follows", async () => {
  const maintained = new Maintained();
  maintained.loop.start();
  maintained.timePasses();
  await maintained.failStep(new Error("no space"));
  expect(maintained.failures).toEqual([new Error("no space")]);
  maintained.timePasses();
  expect(maintained.steps).toBe(1);
  await maintained.loop.stop();
});
