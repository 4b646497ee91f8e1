import { holdsAddress, type IpAddress, type IpNetwork, parseIpAddress, parseIpNetwork } from "../config/ip-network.ts";
import { type SpecialBlock, specialIpv4, specialIpv6 } from "./special-purpose-addresses.ts";

interface Special extends IpNetwork {
  readonly what: string;
}

function networkOf(block: string): IpNetwork {
  const network = parseIpNetwork(block);
  if (typeof network === "string") throw new RangeError(`${block} ${network}`);
  return network;
}

const special: readonly Special[] = [...specialIpv4, ...specialIpv6].map(
  ({ block, name, rfc }: SpecialBlock): Special => ({ ...networkOf(block), what: `${block}, ${name} (${rfc})` }),
);

/** All that has been given out for unicast (RFC 4291 §2.5.4, IANA IPv6 Address Space). */
const globalUnicast = networkOf("2000::/3");

/** RFC 6052 §2.1: a host with IPv6 alone reaches IPv4 by it, and DNS64 makes such addresses for every IPv4 host. */
const translated = networkOf("64:ff9b::/96");

/** RFC 5214 §6.1: the interface identifier `0:5efe` or `200:5efe` and an IPv4 address, behind any prefix. */
const isatapMarks: ReadonlySet<bigint> = new Set([0x0000_5efen, 0x0200_5efen]);

const ipv4Inside = (address: IpAddress): IpAddress => ({ family: 4, bits: address.bits & 0xffff_ffffn });

/**
 * Why an address is not one of the public internet, for the log; undefined for a public one. An IPv4-mapped address is
 * the IPv4 address in it. Of the other forms that carry one, the well-known NAT64 prefix and ISATAP are as public as
 * what is inside; 6to4, Teredo, IPv4-compatible and the local NAT64 prefix are refused whatever they carry: no public
 * server is reached by them.
 */
export function addressFault(text: string): string | undefined {
  const address = parseIpAddress(text);
  return address ? faultOf(address) : "it is not an IP address";
}

function faultOf(address: IpAddress): string | undefined {
  if (address.family === 6 && holdsAddress(translated, address)) return faultOf(ipv4Inside(address));
  const row = special.find((candidate) => holdsAddress(candidate, address));
  if (row) return row.what;
  if (address.family === 4) return undefined;
  if (!holdsAddress(globalUnicast, address)) return "it is outside 2000::/3, global unicast (RFC 4291 §2.5.4)";
  return isatapMarks.has((address.bits >> 32n) & 0xffff_ffffn) ? faultOf(ipv4Inside(address)) : undefined;
}
