import { createHmac, randomBytes } from "node:crypto";
import { PosthornError } from "../../protocol/errors.ts";
import { BoundedParallel } from "./bounded-parallel.ts";
import { verifyPassword } from "./password-hash.ts";

export { hashPassword } from "./password-hash.ts";

/** A user as it is configured. */
export interface UserEntry {
  readonly name: string;
  /** As printed by `posthorn hash-password`. */
  readonly passwordHash: string;
}

export interface UsersOptions {
  /** Milliseconds of a clock that never goes back. Default `performance.now`. */
  readonly now?: () => number;
  /** How a password is checked. Default {@link verifyPassword}. */
  readonly verify?: (password: string, passwordHash: string) => Promise<boolean>;
  /** Password checks at a time. Default 2: half of libuv's four threads stay free for the store and for files. */
  readonly maxParallel?: number;
  /** Logins that may wait for their check. Default 128: as many as two cores check in about four seconds. */
  readonly maxWaiting?: number;
  /** Successes that are remembered. Default 10,000. */
  readonly maxRemembered?: number;
  /** How long a success is remembered. Default ten minutes. */
  readonly rememberMs?: number;
}

/**
 * The users who may log in.
 *
 * A check takes some 50 ms of a core on purpose, so that stolen hashes are worth little. Three things keep that from
 * hurting the broker itself: few checks run at a time and few may wait; equal logins that arrive together share one
 * check; and a success is remembered, so that ten thousand kiosks that come back after a network failure cost one check
 * for each user and not one each. What is remembered is an HMAC of name and password under a key that only this process
 * has: it is worth nothing outside, and who can read the process's memory finds the passwords of the next logins there anyway.
 * Failures are not remembered.
 */
export class Users {
  readonly #passwordHashes: ReadonlyMap<string, string>;
  readonly #decoys: readonly string[];
  readonly #key = randomBytes(32);
  readonly #remembered = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<boolean>>();
  readonly #checks: BoundedParallel;
  readonly #now: () => number;
  readonly #verify: (password: string, passwordHash: string) => Promise<boolean>;
  readonly #maxRemembered: number;
  readonly #rememberMs: number;

  constructor(users: readonly UserEntry[], options: UsersOptions = {}) {
    this.#passwordHashes = new Map(users.map(({ name, passwordHash }) => [name, passwordHash]));
    this.#decoys = [...this.#passwordHashes.values()];
    this.#now = options.now ?? (() => performance.now());
    this.#verify = options.verify ?? verifyPassword;
    this.#checks = new BoundedParallel({
      maxRunning: options.maxParallel ?? 2,
      maxWaiting: options.maxWaiting ?? 128,
    });
    this.#maxRemembered = options.maxRemembered ?? 10_000;
    this.#rememberMs = options.rememberMs ?? 600_000;
  }

  /** How many users there are. With none, nobody can log in: whether that means "all may enter" is the caller's decision. */
  get size(): number {
    return this.#passwordHashes.size;
  }

  /**
   * Whether there is such a user with this password.
   *
   * @throws PosthornError `too-many-connections` when so many logins are being checked that this one will not wait.
   */
  async authenticate(name: string, password: string): Promise<boolean> {
    if (this.size === 0) return false;
    const login = this.#hmac(`${name.length}:${name}${password}`).toString("base64");
    if (this.#isRemembered(login)) return true;

    const underWay = this.#underWay.get(login);
    if (underWay) return underWay;
    if (this.#checks.isFull) {
      throw new PosthornError("too-many-connections", "Too many logins are being checked at the moment.");
    }
    const check = this.#checks.run(() => this.#check(name, password));
    this.#underWay.set(login, check);
    try {
      const accepted = await check;
      if (accepted) this.#remember(login);
      return accepted;
    } finally {
      this.#underWay.delete(login);
    }
  }

  /** An unknown name costs the check of some user's hash, always the same one's, so that time does not tell which names exist. */
  async #check(name: string, password: string): Promise<boolean> {
    const known = this.#passwordHashes.get(name);
    const decoy = this.#decoys[this.#hmac(name).readUInt32LE() % this.#decoys.length]!;
    const matches = await this.#verify(password, known ?? decoy);
    return matches && known !== undefined;
  }

  #hmac(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest();
  }

  #isRemembered(login: string): boolean {
    const until = this.#remembered.get(login);
    if (until === undefined) return false;
    if (until > this.#now()) return true;
    this.#remembered.delete(login);
    return false;
  }

  #remember(login: string): void {
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size >= this.#maxRemembered && oldest !== undefined) this.#remembered.delete(oldest);
    this.#remembered.set(login, this.#now() + this.#rememberMs);
  }
}
