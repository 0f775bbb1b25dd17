import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** The longest password that `hello` can carry, in characters. */
export const maxPasswordLength = 1024;

interface PasswordHash {
  /** scrypt's cost: about `128 * N * r` bytes of memory, `N * r * p` of time. */
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

// 16 MiB and some 40–60 ms of one core for each check.
const cost = { N: 16_384, r: 8, p: 1 };
const saltBytes = 16;
const hashBytes = 32;

// A hash written elsewhere may be dearer than ours, up to this: a single login must not exhaust the machine.
const maxMemoryBytes = 256 * 1024 * 1024;
const maxP = 16;

const layout =
  /^scrypt\$N=(\d{1,8}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{16,128}={0,2})\$([A-Za-z0-9+/]{22,128}={0,2})$/;

function parse(text: string): PasswordHash | undefined {
  const match = layout.exec(text);
  if (!match) return undefined;
  const [N, r, p] = match.slice(1, 4).map(Number) as [number, number, number];
  const [salt, hash] = match.slice(4).map((base64) => Buffer.from(base64, "base64")) as [Buffer, Buffer];
  const powerOfTwo = N >= 2 && Number.isInteger(Math.log2(N));
  if (!powerOfTwo || r < 1 || p < 1 || p > maxP || 128 * N * r > maxMemoryBytes) return undefined;
  return { N, r, p, salt, hash };
}

function derive(password: string, { N, r, p }: typeof cost, salt: Buffer, length: number): Promise<Buffer> {
  // The same password typed on another system may use other code points for the same letters.
  const normal = password.normalize("NFC");
  const maxmem = 2 * 128 * r * (N + p);
  return new Promise((resolve, reject) => {
    scrypt(normal, salt, length, { N, r, p, maxmem }, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

/** Whether a text is a hash that {@link verifyPassword} can check: `scrypt$N=…,r=…,p=…$salt$hash`, the last two in base64. */
export function isPasswordHash(text: string): boolean {
  return parse(text) !== undefined;
}

/** Hashes a password with a new salt, for the users of a config file. Takes some 50 ms, on another thread. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await derive(password, cost, salt, hashBytes);
  return `scrypt$N=${cost.N},r=${cost.r},p=${cost.p}$${salt.toString("base64")}$${hash.toString("base64")}`;
}

/**
 * Whether the password is the one that was hashed. Compares in constant time.
 *
 * @throws TypeError if the text is not a hash; see {@link isPasswordHash}.
 */
export async function verifyPassword(password: string, passwordHash: string): Promise<boolean> {
  const expected = parse(passwordHash);
  if (!expected) throw new TypeError("not a password hash");
  const hash = await derive(password, expected, expected.salt, expected.hash.length);
  return timingSafeEqual(hash, expected.hash);
}
