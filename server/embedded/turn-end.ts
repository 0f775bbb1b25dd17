type Callback = () => void;

/**
 * What is put off to the end of a turn of the event loop, in the right order: messages are dispatched before a commit is
 * built. So a message that a consumer takes without acks is never written, and none waits for the commit to be put together.
 */
export class TurnEnd {
  readonly #defer: (callback: Callback) => void;
  #dispatch: Callback | undefined;
  #commit: Callback | undefined;
  #isDue = false;

  /** `defer` calls back at the end of the present turn. */
  constructor(defer: (callback: Callback) => void) {
    this.#defer = defer;
  }

  /** One at a time. */
  readonly deferDispatch = (callback: Callback): void => {
    this.#dispatch = callback;
    this.#schedule();
  };

  /** One at a time. */
  readonly deferCommit = (callback: Callback): void => {
    this.#commit = callback;
    this.#schedule();
  };

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#defer(this.#run);
  }

  readonly #run = (): void => {
    this.#isDue = false;
    const dispatch = this.#dispatch;
    this.#dispatch = undefined;
    dispatch?.();
    // What the dispatch has ended need not be written; what it has called for is in this commit.
    const commit = this.#commit;
    this.#commit = undefined;
    commit?.();
  };
}
