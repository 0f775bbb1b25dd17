const loopbackName = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/** Host and port as a URL of this protocol has them: lower case, without the default port. */
function normalHost(protocol: string, host: string): string | undefined {
  const url = `${protocol}//${host}`;
  if (/[\s/?#@\\]/.test(host) || !URL.canParse(url)) return undefined;
  return new URL(url).host;
}

/**
 * Whether a page of this origin may open a WebSocket to the broker. Browsers let every page on the web try, and it is
 * for the server to refuse.
 *
 * - Without an `Origin` the client is no browser, and its credentials decide.
 * - An origin on the list is allowed, as is any if the list has `*`. `null`, which sandboxed pages and local files send,
 *   must be listed like any other.
 * - Otherwise the page must come from the host and port that the request names in `Host`. That alone can be forged: a name
 *   of the attacker's may resolve to 127.0.0.1 (DNS rebinding), and then page and request agree. A broker on loopback
 *   therefore takes only loopback's own names for itself.
 *
 * @param boundToLoopback whether the broker listens on loopback only.
 */
export function originAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
  boundToLoopback: boolean,
): boolean {
  if (origin === undefined) return true;
  if (allowed.includes("*") || allowed.includes(origin)) return true;
  if (host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  if (page.origin !== origin || (page.protocol !== "http:" && page.protocol !== "https:")) return false;
  if (boundToLoopback && !loopbackName.test(host)) return false;
  return normalHost(page.protocol, host) === page.host;
}
