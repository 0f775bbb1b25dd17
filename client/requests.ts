import { PosthornError } from "../protocol/errors.ts";
import type { Runtime } from "./runtime.ts";

/** The fields of an answer, before the type of the request says what they are. */
export type AnswerFields = { readonly [field: string]: unknown };

export interface PendingRequest {
  readonly type: string;
  readonly deadline: number;
  /**
   * Called within the event that brought the answer, before anything that follows it is read. `late`: the caller has
   * been told `timeout` or `aborted`, and nobody else will look after what the broker did.
   */
  readonly answered: (fields: AnswerFields, late: boolean) => void;
  readonly failed: (error: PosthornError) => void;
}

/** Requests under way: id → who asked. One timer for all of them. */
export class Requests {
  readonly #runtime: Runtime;
  readonly #pending = new Map<number, PendingRequest>();
  /** Given up by their caller, not yet answered by the broker. */
  readonly #abandoned = new Map<number, PendingRequest>();
  readonly #idleWaiters: (() => void)[] = [];
  #nextId = 1;
  #timer: unknown;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  get size(): number {
    return this.#pending.size;
  }

  add(request: PendingRequest): number {
    const id = this.#nextId++;
    this.#pending.set(id, request);
    if (request.deadline < this.#timerAt) this.#arm(request.deadline);
    return id;
  }

  /** An answer came; one for an id that nobody waits for is ignored. */
  answer(id: number, fields: AnswerFields): void {
    const request = this.#take(id);
    if (request !== undefined) request.answered(fields, false);
    else {
      const abandoned = this.#abandoned.get(id);
      this.#abandoned.delete(id);
      abandoned?.answered(fields, true);
    }
  }

  fail(id: number, error: PosthornError): boolean {
    const request = this.#take(id);
    request?.failed(error);
    return this.#abandoned.delete(id) || request !== undefined;
  }

  /** The caller no longer waits. */
  abandon(id: number, error: PosthornError): void {
    const request = this.#take(id);
    if (request === undefined) return;
    this.#abandoned.set(id, request);
    request.failed(error);
  }

  /** The session has ended. */
  failAll(error: (type: string) => PosthornError): void {
    this.#runtime.clearTimer(this.#timer);
    this.#abandoned.clear();
    for (const id of [...this.#pending.keys()]) {
      const request = this.#take(id);
      request?.failed(error(request.type));
    }
  }

  /** Resolves once no request is under way. */
  async whenIdle(): Promise<void> {
    if (this.#pending.size > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  #take(id: number): PendingRequest | undefined {
    const request = this.#pending.get(id);
    if (this.#pending.delete(id) && this.#pending.size === 0) {
      for (const resolve of this.#idleWaiters.splice(0)) resolve();
    }
    return request;
  }

  #arm(at: number): void {
    this.#runtime.clearTimer(this.#timer);
    this.#timerAt = at;
    this.#timer = this.#runtime.setTimer(() => this.#expire(), Math.max(0, at - this.#runtime.now()));
  }

  #expire(): void {
    const now = this.#runtime.now();
    let next = Number.POSITIVE_INFINITY;
    this.#timerAt = next;
    for (const [id, { type, deadline }] of [...this.#pending]) {
      if (deadline > now) next = Math.min(next, deadline);
      else this.abandon(id, timeoutError(type));
    }
    if (next < this.#timerAt) this.#arm(next);
  }
}

export function timeoutError(type: string): PosthornError {
  return new PosthornError("timeout", `No answer to ${type} came in time.`, { request: type });
}
