/** A block of addresses that has a purpose of its own: nobody's public server is there. */
export interface SpecialBlock {
  readonly block: string;
  readonly name: string;
  /** Where it is defined. */
  readonly rfc: string;
}

const rows = (table: readonly (readonly [block: string, name: string, rfc: string])[]): readonly SpecialBlock[] =>
  table.map(([block, name, rfc]) => ({ block, name, rfc }));

/**
 * IANA IPv4 Special-Purpose Address Registry (RFC 6890), and multicast. Rows that the registry calls globally reachable
 * are here as well: anycast for protocols of their own, which an organisation may answer inside its network.
 */
export const specialIpv4: readonly SpecialBlock[] = rows([
  ["0.0.0.0/8", "this network", "RFC 791 §3.2"],
  ["0.0.0.0/32", "this host on this network", "RFC 1122 §3.2.1.3"],
  ["10.0.0.0/8", "private use", "RFC 1918"],
  ["100.64.0.0/10", "shared address space", "RFC 6598"],
  ["127.0.0.0/8", "loopback", "RFC 1122 §3.2.1.3"],
  ["169.254.0.0/16", "link local", "RFC 3927"],
  ["172.16.0.0/12", "private use", "RFC 1918"],
  ["192.0.0.0/24", "IETF protocol assignments", "RFC 6890 §2.1"],
  ["192.0.0.0/29", "IPv4 service continuity prefix", "RFC 7335"],
  ["192.0.0.8/32", "IPv4 dummy address", "RFC 7600"],
  ["192.0.0.9/32", "port control protocol anycast", "RFC 7723"],
  ["192.0.0.10/32", "traversal using relays around NAT anycast", "RFC 8155"],
  ["192.0.0.170/32", "NAT64/DNS64 discovery", "RFC 7050 §2.2, RFC 8880"],
  ["192.0.0.171/32", "NAT64/DNS64 discovery", "RFC 7050 §2.2, RFC 8880"],
  ["192.0.2.0/24", "documentation (TEST-NET-1)", "RFC 5737"],
  ["192.31.196.0/24", "AS112-v4", "RFC 7535"],
  ["192.52.193.0/24", "automatic multicast tunnelling", "RFC 7450"],
  ["192.88.99.0/24", "deprecated 6to4 relay anycast", "RFC 7526"],
  ["192.88.99.2/32", "6a44 relay anycast", "RFC 6751"],
  ["192.168.0.0/16", "private use", "RFC 1918"],
  ["192.175.48.0/24", "direct delegation AS112 service", "RFC 7534"],
  ["198.18.0.0/15", "benchmarking", "RFC 2544"],
  ["198.51.100.0/24", "documentation (TEST-NET-2)", "RFC 5737"],
  ["203.0.113.0/24", "documentation (TEST-NET-3)", "RFC 5737"],
  ["224.0.0.0/4", "multicast", "RFC 5771"],
  ["240.0.0.0/4", "reserved", "RFC 1112 §4"],
  ["255.255.255.255/32", "limited broadcast", "RFC 8190, RFC 919 §7"],
]);

/**
 * IANA IPv6 Special-Purpose Address Registry (RFC 6890), and what RFC 4291 has besides. Its row ::ffff:0:0/96
 * (IPv4-mapped, RFC 4291 §2.5.5.2) is left out: such an address is read as the IPv4 address in it. The well-known NAT64
 * prefix is a row; what it stands for is judged in `public-address.ts`.
 */
export const specialIpv6: readonly SpecialBlock[] = rows([
  ["::/128", "unspecified", "RFC 4291 §2.5.2"],
  ["::1/128", "loopback", "RFC 4291 §2.5.3"],
  ["::/96", "deprecated IPv4-compatible", "RFC 4291 §2.5.5.1"],
  ["64:ff9b::/96", "IPv4-IPv6 translation (NAT64)", "RFC 6052"],
  ["64:ff9b:1::/48", "local IPv4-IPv6 translation (NAT64)", "RFC 8215"],
  ["100::/64", "discard only", "RFC 6666"],
  ["100:0:0:1::/64", "dummy prefix", "RFC 9780"],
  ["2001::/23", "IETF protocol assignments", "RFC 2928"],
  ["2001::/32", "Teredo", "RFC 4380, RFC 8190"],
  ["2001:1::1/128", "port control protocol anycast", "RFC 7723"],
  ["2001:1::2/128", "traversal using relays around NAT anycast", "RFC 8155"],
  ["2001:1::3/128", "DNS-SD service registration anycast", "RFC 9665"],
  ["2001:2::/48", "benchmarking", "RFC 5180, RFC Errata 1752"],
  ["2001:3::/32", "automatic multicast tunnelling", "RFC 7450"],
  ["2001:4:112::/48", "AS112-v6", "RFC 7535"],
  ["2001:10::/28", "deprecated ORCHID", "RFC 4843"],
  ["2001:20::/28", "ORCHIDv2", "RFC 7343"],
  ["2001:30::/28", "drone remote identification", "RFC 9374"],
  ["2001:db8::/32", "documentation", "RFC 3849"],
  ["2002::/16", "6to4", "RFC 3056"],
  ["2620:4f:8000::/48", "direct delegation AS112 service", "RFC 7534"],
  ["3fff::/20", "documentation", "RFC 9637"],
  ["5f00::/16", "segment routing", "RFC 9602"],
  ["fc00::/7", "unique local", "RFC 4193, RFC 8190"],
  ["fe80::/10", "link local", "RFC 4291 §2.5.6"],
  ["fec0::/10", "deprecated site local", "RFC 3879"],
  ["ff00::/8", "multicast", "RFC 4291 §2.7"],
]);
