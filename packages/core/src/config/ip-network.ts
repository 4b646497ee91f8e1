import { isIPv4, isIPv6 } from "node:net";

/** An IP address as a number. IPv4 also where it came as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2). */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

/** A network: every address whose first `prefix` bits are those of `bits`. */
export interface IpNetwork extends IpAddress {
  readonly prefix: number;
}

const sizes = { 4: 32, 6: 128 } as const;
const mappedPrefix = 0xffffn;

/** Reads an address in the usual text forms (RFC 4291 §2.2), without port, brackets or zone; undefined for anything else. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, bits: ofParts(text.split(".").map(Number), 8) };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const bits = ipv6Bits(text);
  return bits >> 32n === mappedPrefix ? { family: 4, bits: bits & 0xffff_ffffn } : { family: 6, bits };
}

/**
 * Reads an address or a network such as `10.0.0.0/8`.
 * @returns the network (an address alone is a network of one), or what is wrong with the text and how to mend it
 */
export function parseIpNetwork(text: string): IpNetwork | string {
  const [, host = "", length] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseIpAddress(host);
  if (!address) return "is not an address or network; write one such as 10.0.0.7, 10.0.0.0/8 or fd00::/8";
  const size = sizes[address.family];
  // A mapped network counts its bits from the start of the IPv6 form.
  const before = address.family === 4 && host.includes(":") ? 96 : 0;
  const prefix = length === undefined ? size : Number(length) - before;
  if (prefix > size || prefix < 0) return `has a prefix that is no number from ${before + 1} to ${before + size}`;
  if (prefix === 0) return "holds every address, so that each caller could choose its own; name your proxies alone";
  const free = BigInt(size - prefix);
  const bits = (address.bits >> free) << free;
  if (bits !== address.bits)
    return `has bits beyond its prefix; write ${formatIpAddress({ ...address, bits })}/${prefix}`;
  return { family: address.family, bits, prefix };
}

/** Whether a network holds an address. */
export function holdsAddress(network: IpNetwork, address: IpAddress): boolean {
  const free = BigInt(sizes[network.family] - network.prefix);
  return network.family === address.family && network.bits >> free === address.bits >> free;
}

/** The one text of an address: dotted IPv4, or IPv6 in its shortest form (RFC 5952). */
export function formatIpAddress({ family, bits }: IpAddress): string {
  if (family === 4) return partsOf(bits, 4, 8).join(".");
  const groups = partsOf(bits, 8, 16).map((group) => group.toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function ipv6Bits(text: string): bigint {
  // An IPv4 tail stands for the last two groups.
  const [, start = text, tail] = /^(.*:)([\d.]+\.\d+)$/.exec(text) ?? [];
  const last = tail === undefined ? [] : partsOf(ofParts(tail.split(".").map(Number), 8), 2, 16);
  const [left = "", right] = start.split("::");
  const groups = (part: string): number[] =>
    part
      .split(":")
      .filter((group) => group !== "")
      .map((group) => Number.parseInt(group, 16));
  const [head, rest] =
    right === undefined ? [[...groups(left), ...last], []] : [groups(left), [...groups(right), ...last]];
  return ofParts([...head, ...Array<number>(8 - head.length - rest.length).fill(0), ...rest], 16);
}

const ofParts = (parts: readonly number[], width: number): bigint =>
  parts.reduce((bits, part) => (bits << BigInt(width)) | BigInt(part), 0n);

const partsOf = (bits: bigint, count: number, width: number): number[] =>
  Array.from({ length: count }, (_, index) =>
    Number(BigInt.asUintN(width, bits >> BigInt(width * (count - 1 - index)))),
  );
