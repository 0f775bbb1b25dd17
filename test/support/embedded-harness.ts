import { EmbeddedEngine } from "../../server/embedded/embedded-engine.ts";
import type {
  Changes,
  LoadedEntry,
  MaintenanceNeed,
  Recovered,
  Room,
  Scan,
  Store,
} from "../../server/embedded/store/store.ts";
import type { EngineHarness, HarnessOptions } from "../contract/engine/harness.ts";
import { consumerLimits } from "./embedded.ts";

/** A store that can be used again after its process has died. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Ends the store as a crash would, and returns one on what is left. */
  crash(): Promise<StoreUnderTest>;
  reopened(): StoreUnderTest;
  /** Removes what is left on disk. */
  remove(): Promise<void>;
}

/** Passes everything on to a store, and keeps back the news that commits are on disk while it is shut. */
class FlushGate implements Store {
  readonly #store: Store;
  #opened: Promise<void> = Promise.resolve();
  #open: () => void = () => {};
  #isShut = false;
  underWay = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  get isShut(): boolean {
    return this.#isShut;
  }

  shut(): void {
    if (this.#isShut) return;
    this.#isShut = true;
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  letThrough(): void {
    this.#isShut = false;
    this.#open();
  }

  async commit(changes: Changes): Promise<void> {
    this.underWay++;
    await this.#store.commit(changes);
    while (this.#isShut) await this.#opened;
    this.underWay--;
  }

  open(): Promise<Recovered> {
    return this.#store.open();
  }

  load(...where: Parameters<Store["load"]>): LoadedEntry[] {
    return this.#store.load(...where);
  }

  loadOne(...where: Parameters<Store["loadOne"]>): LoadedEntry | undefined {
    return this.#store.loadOne(...where);
  }

  scan(...where: Parameters<Store["scan"]>): Scan {
    return this.#store.scan(...where);
  }

  room(): Room {
    return this.#store.room();
  }

  capacityBytes(): number {
    return this.#store.capacityBytes();
  }

  maintain(): Promise<MaintenanceNeed> {
    return this.#store.maintain();
  }

  close(options: { clean: boolean }): Promise<void> {
    return this.#store.close(options);
  }
}

/** The embedded engine on a store, for the engine's contract suite. Turns are real ones. */
export async function embeddedHarness(
  under: StoreUnderTest,
  options: HarnessOptions = {},
): Promise<EngineHarness> {
  let current = await launch(under, options);
  return {
    get engine() {
      return current.engine;
    },
    quiet: () => current.quiet(),
    stopDisk: () => current.gate.shut(),
    letDiskGoOn: () => current.gate.letThrough(),
    async restart(how) {
      current.gate.letThrough();
      if (how === "stopped") {
        await current.engine.stop();
        current.end();
        under = under.reopened();
      } else {
        current.end();
        under = await under.crash();
      }
      current = await launch(under, options);
    },
    async close() {
      await current.engine.stop();
      current.end();
      await under.remove();
    },
  };
}

async function launch({ store }: StoreUnderTest, options: HarnessOptions) {
  const gate = new FlushGate(store);
  let deferred = 0;
  let isAlive = true;
  const {
    maxUncommittedBytes = 1024 * 1024,
    maxExchanges = 100,
    maxQueues = 100,
    maxBindingsPerQueue = 100,
    maxPolicies = 100,
  } = options;
  const engine = new EmbeddedEngine({
    store: gate,
    limits: { maxExchanges, maxQueues, maxBindingsPerQueue, maxPolicies, ...consumerLimits },
    memoryBudgetBytes: 1024 * 1024,
    // So little that longer queues page.
    queueMemoryBytes: 16 * 1024,
    maxUncommittedBytes,
    defer(callback) {
      deferred++;
      setImmediate(() => {
        deferred--;
        if (isAlive) callback();
      });
    },
    now: () => 0,
    delay: () => {},
    random: Math.random,
    events: {
      onFailure(error) {
        if (isAlive) throw error;
      },
      onDamage(queue, error) {
        throw new Error(`Queue ${queue} is damaged.`, { cause: error });
      },
      onCircuitChange: () => {},
      onMissingTarget: () => {},
    },
  });
  await engine.start();
  return {
    engine,
    gate,
    end() {
      isAlive = false;
    },
    async quiet() {
      do await new Promise((resolve) => setImmediate(resolve));
      while (deferred > 0 || (gate.underWay > 0 && !gate.isShut));
    },
  };
}
