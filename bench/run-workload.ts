import { driverFor } from "./drivers/driver-for.ts";
import { measure } from "./measure.ts";
import type { Progress } from "./progress.ts";
import type { TargetResults, WorkloadResults } from "./report/results.ts";
import type { OpenTarget, Target } from "./targets/target.ts";
import type { Sample, Workload } from "./workloads/workload.ts";

/** The warm-up is so much shorter than a round. */
const warmUpScale = 0.2;

export interface Course {
  readonly rounds: number;
  readonly scale: number;
  readonly interrupted: AbortSignal;
  readonly progress: Progress;
}

/** Rounds including the warm-up: what the progress counts, a target. */
export function stepsOf({ warmsUp }: Workload, rounds: number): number {
  return rounds + (warmsUp ? 1 : 0);
}

/** All rounds of one workload: in each round every target has its turn, so that what disturbs one disturbs all. */
export async function runWorkload(
  workload: Workload,
  targets: readonly Target[],
  course: Course,
): Promise<WorkloadResults> {
  const contenders = targets.map((target) => new Contender(workload, target, course));
  try {
    for (let round = workload.warmsUp ? 0 : 1; round <= course.rounds; round++) {
      for (const contender of contenders) await contender.run(round);
    }
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
  const { name, summary, metrics } = workload;
  return { name, summary, metrics, targets: contenders.map((contender) => contender.results()) };
}

/** A target in one workload. After a failure it takes no further part. */
class Contender {
  readonly #workload: Workload;
  readonly #target: Target;
  readonly #course: Course;
  readonly #samples: Sample[] = [];
  #open: OpenTarget | undefined;
  #out: TargetResults["outcome"] | undefined;

  constructor(workload: Workload, target: Target, course: Course) {
    this.#workload = workload;
    this.#target = target;
    this.#course = course;
  }

  async run(round: number): Promise<void> {
    const { scale, interrupted, progress } = this.#course;
    const { name, needs } = this.#workload;
    try {
      if (this.#out !== undefined || interrupted.aborted) return;
      const { operations } = await driverFor(this.#target.kind);
      if (!needs.every((operation) => operations.has(operation))) {
        this.#out = { kind: "unsupported" };
        return;
      }
      progress.begin(`${name}, ${round === 0 ? "warm-up" : `round ${round}`}: ${this.#target.label}`);
      this.#open ??= await this.#target.open();
      const roundScale = round === 0 ? scale * warmUpScale : scale;
      const sample = await measure(this.#workload, this.#open, roundScale, interrupted);
      if (round > 0) this.#samples.push(sample);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      progress.note(`${name}: ${this.#target.label} failed: ${reason}`);
      this.#out = { kind: "failed", reason };
    } finally {
      progress.done();
    }
  }

  async close(): Promise<void> {
    await this.#open?.close();
  }

  results(): TargetResults {
    const measured = { kind: "measured", samples: this.#samples } as const;
    return { label: this.#target.label, outcome: this.#out ?? measured };
  }
}
