import {
  formatIpAddress,
  holdsAddress,
  type IpAddress,
  type IpNetwork,
  parseIpAddress,
  parseIpNetwork,
} from "../config/ip-network.ts";

/**
 * The networks of the setting `trustedProxies`.
 * @throws RangeError for a text that the configuration's rules would have refused
 */
export const trustedNetworks = (texts: readonly string[]): readonly IpNetwork[] =>
  texts.map((text) => {
    const network = parseIpNetwork(text);
    if (typeof network === "string") throw new RangeError(`trustedProxies: ${text} ${network}`);
    return network;
  });

/**
 * Who makes a request. That is the peer of the socket, unless it is a trusted proxy: then `X-Forwarded-For` is read from
 * the right, where each proxy appends whom it saw, past further trusted ones to the first address that is not. What a
 * client wrote itself stands left of that and is never reached. An entry that is no address ends the reading: the proxy
 * that passed it on counts. `Forwarded` (RFC 7239) is not read: a proxy that keeps only the one of the two headers would
 * let its clients write the other.
 * @param peer the socket's address; undefined where there is none
 */
export function clientAddress(
  peer: string | undefined,
  headers: Pick<Headers, "get">,
  trusted: readonly IpNetwork[],
): string | undefined {
  let client = peer === undefined ? undefined : readAddress(peer);
  if (!client) return peer;
  const isTrusted = (address: IpAddress): boolean => trusted.some((network) => holdsAddress(network, address));
  // Several header lines arrive joined in their order (RFC 9110 §5.3); empty elements count for nothing (§5.6.1).
  const hops = (headers.get("x-forwarded-for") ?? "").split(",").filter((entry) => entry.trim() !== "");
  for (let hop = hops.pop(); hop !== undefined && isTrusted(client); hop = hops.pop()) {
    const address = readAddress(hop.trim());
    if (!address) break;
    client = address;
  }
  return formatIpAddress(client);
}

/** What counts as one caller for limits: an IPv4 address, or the /64 of an IPv6 address, as one household has all of it. */
export function limitKey(address: string | undefined): string {
  if (address === undefined) return "unknown";
  const parsed = parseIpAddress(address);
  if (!parsed) return address;
  if (parsed.family === 4) return formatIpAddress(parsed);
  return `${formatIpAddress({ family: 6, bits: (parsed.bits >> 64n) << 64n })}/64`;
}

/** An address as sockets and proxies write it: with or without port, brackets (RFC 3986 §3.2.2) or zone (RFC 4007 §11). */
function readAddress(text: string): IpAddress | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(text) ?? [];
  return parseIpAddress((bracketed ?? dotted ?? text).replace(/%.*$/, ""));
}
