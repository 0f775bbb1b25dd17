import { PosthornError } from "../../protocol/errors.ts";
import type { BrokerEventListener } from "./broker-event.ts";
import type { LoginThrottle } from "./login-throttle.ts";
import type { Users } from "./users.ts";
import { anonymousUser } from "./visitor.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Finds out who a client is. */
export class Login {
  readonly #users: Users;
  readonly #throttle: LoginThrottle;
  readonly #onEvent: BrokerEventListener;

  constructor(users: Users, throttle: LoginThrottle, onEvent: BrokerEventListener) {
    this.#users = users;
    this.#throttle = throttle;
    this.#onEvent = onEvent;
  }

  /**
   * The name of the user. Without users configured everyone is `anonymous`, whatever credentials are given.
   * @throws PosthornError `authentication-failed` or, after too many of these from one address, `too-many-failures`.
   */
  async authenticate(credentials: Credentials | undefined, address: string): Promise<string> {
    if (this.#users.size === 0) return anonymousUser;
    if (this.#throttle.isBlocked(address)) {
      throw new PosthornError(
        "too-many-failures",
        "Too many failed logins from this address. Try again in a minute.",
      );
    }
    if (credentials === undefined)
      throw new PosthornError("authentication-failed", "Credentials are needed.");
    if (await this.#users.authenticate(credentials.user, credentials.password)) return credentials.user;
    this.#throttle.failed(address);
    this.#onEvent({ type: "login-failed", user: credentials.user, address });
    throw new PosthornError("authentication-failed", "The user name or the password is wrong.");
  }
}
