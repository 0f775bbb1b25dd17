import { randomBytes } from "node:crypto";
import { closeSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { StoreError } from "../store.ts";

/**
 * One process to a directory. Node has no file locks, so the lock is a Unix socket in the directory on which its holder
 * listens: the kernel closes it when the process dies, however it dies, and it is seen across containers that share the
 * directory, which process ids are not.
 *
 * Everyone listens on a socket of their own *before* looking for others, and gives up if anyone else is alive. So of two
 * that start at once the later looker sees the other: never both hold the lock, though both may give up. A socket that
 * refuses connections belongs to the dead, or to one who has not begun to listen; it is removed, and because of the second
 * case one checks at the end that one's own is still there.
 */

const prefix = "lock-";
/** What `sun_path` holds on the more frugal systems (macOS), less the final zero. */
const maxPathBytes = 103;
const greetingTimeoutMs = 500;

export function isLockFile(name: string): boolean {
  return name.startsWith(prefix);
}

export class DirectoryLock {
  readonly #server: Server;
  readonly #directoryHandle: number | undefined;

  private constructor(server: Server, directoryHandle: number | undefined) {
    this.#server = server;
    this.#directoryHandle = directoryHandle;
  }

  /** @throws StoreError `locked`, saying who holds it; `io` if the directory cannot hold a socket. */
  static async acquire(directory: string): Promise<DirectoryLock> {
    const name = `${prefix}${randomBytes(6).toString("hex")}`;
    const { base, handle } = socketDirectory(directory, name);
    const server = await listen(join(base, name)).catch((cause: unknown) => {
      if (handle !== undefined) closeSync(handle);
      throw new StoreError("io", `cannot lock ${directory}: ${(cause as Error).message}`, { cause });
    });
    const lock = new DirectoryLock(server, handle);
    try {
      const own = statSync(join(directory, name)).ino;
      for (const other of readdirSync(directory)) {
        if (!isLockFile(other) || other === name) continue;
        const holder = await askHolder(join(base, other));
        if (holder !== undefined) throw new StoreError("locked", `${directory} is in use by ${holder}`);
        rmSync(join(directory, other), { force: true });
      }
      if (statSync(join(directory, name), { throwIfNoEntry: false })?.ino !== own) {
        throw new StoreError("locked", `${directory} is being opened by another process`);
      }
      return lock;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Closing the socket removes its file, at once. */
  release(): void {
    this.#server.close();
    if (this.#directoryHandle !== undefined) closeSync(this.#directoryHandle);
  }
}

/** Socket paths are short; a long one is gone round by way of a handle on the directory, where there is such a thing. */
function socketDirectory(directory: string, name: string): { base: string; handle: number | undefined } {
  if (Buffer.byteLength(join(directory, name)) <= maxPathBytes) return { base: directory, handle: undefined };
  if (process.platform !== "linux") {
    throw new StoreError("io", `cannot lock ${directory}: its path is longer than a socket's may be`);
  }
  const handle = openSync(directory, "r");
  return { base: `/proc/self/fd/${handle}`, handle };
}

function listen(path: string): Promise<Server> {
  const greeting = `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}`;
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(greeting);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.removeListener("error", reject);
      server.unref();
      resolve(server);
    });
  });
}

/** Who listens there; undefined if nobody does. */
function askHolder(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket: Socket = connect(path);
    let greeting = "";
    let isAlive = false;
    const finish = () => {
      socket.destroy();
      resolve(isAlive ? greeting || "a process that does not answer" : undefined);
    };
    socket.setTimeout(greetingTimeoutMs, finish);
    socket.setEncoding("utf8");
    socket.on("connect", () => {
      isAlive = true;
    });
    socket.on("data", (text: string) => {
      greeting += text;
    });
    socket.on("end", finish);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      // Only these two mean that nobody is there. A full backlog or missing permission means that somebody may be.
      if (error.code !== "ECONNREFUSED" && error.code !== "ENOENT") isAlive = true;
      finish();
    });
  });
}
