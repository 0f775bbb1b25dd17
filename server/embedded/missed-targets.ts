import type { EmbeddedEngineEvents, MissingTarget } from "./engine-options.ts";
import type { Exchange } from "./exchange.ts";
import type { Queue } from "./queue.ts";

/** Messages that should have gone on to an exchange or a queue that is not there: counted, and told once for each that names it. */
export class MissedTargets {
  readonly #tell: EmbeddedEngineEvents["onMissingTarget"];
  #count = 0;

  constructor(tell: EmbeddedEngineEvents["onMissingTarget"]) {
    this.#tell = tell;
  }

  get count(): number {
    return this.#count;
  }

  alternate(exchange: Exchange): void {
    const { name, alternate } = exchange;
    this.#missed("alternateExchange", alternate as string, `exchange ${JSON.stringify(name)}`, exchange);
  }

  deadLetter(argument: "deadLetterExchange" | "deadLetterQueue", target: string, queue: Queue): void {
    this.#missed(argument, target, `queue ${JSON.stringify(queue.name)}`, queue);
  }

  #missed(
    argument: MissingTarget,
    target: string,
    of: string,
    owner: Pick<Queue, "missedTargets" | "isMissingTold">,
  ): void {
    this.#count++;
    owner.missedTargets++;
    if (owner.isMissingTold) return;
    owner.isMissingTold = true;
    this.#tell(argument, target, of);
  }
}
