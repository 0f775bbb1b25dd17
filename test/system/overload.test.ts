import { describe, expect, test } from "vitest";
import { seeded } from "./faults/seeded.ts";
import { NotPossibleHere } from "./overload/scenario.ts";
import { scenarios } from "./overload/scenarios.ts";

/** How a victim's latency fares is for the long form: `npm run test:overload`. */
const seed = Date.now() % 1_000_000;

describe(`a broker that is asked too much (seed ${seed})`, { timeout: 60_000 }, () => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    "keeps what users rely on: %s",
    async (_name, scenario) => {
      try {
        const { problems } = await scenario.run({ random: seeded(seed), scale: 0.1 });
        expect(problems).toEqual([]);
      } catch (error) {
        if (!(error instanceof NotPossibleHere)) throw error;
        console.log(`${scenario.name} is not possible here: ${error.message}`);
      }
    },
  );
});
