import { isIPv6 } from "node:net";

/**
 * What counts as one client when something is limited per address. An IPv6 customer holds a whole /64 network, so that
 * is counted; an IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is counted as the IPv4 address.
 */
export function addressKey(remoteAddress: string): string {
  const [address = ""] = remoteAddress.toLowerCase().split("%");
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [before = "", after] = address.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after ? after.split(":") : [];
  // A dotted IPv4 part at the end stands for two groups.
  const written = head.length + tail.length + (address.includes(".") ? 1 : 0);
  const groups = [...head, ...Array<string>(after === undefined ? 0 : 8 - written).fill("0"), ...tail];
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}
