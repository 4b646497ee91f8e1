import { describe, expect, test } from "vitest";
import { addressFault } from "./index.ts";
import { specialIpv4, specialIpv6 } from "./special-purpose-addresses.ts";

/** The registry's two edges of a block, and what lies just outside. */
describe.each([...specialIpv4, ...specialIpv6])("$block ($name)", ({ block, rfc }) => {
  const [first = "", prefix = ""] = block.split("/");
  const size = first.includes(":") ? 128 : 32;
  const bits = first.includes(":") ? ofIpv6(first) : ofIpv4(first);
  const last = bits | ((1n << BigInt(size - Number(prefix))) - 1n);
  const text = size === 32 ? toIpv4 : toIpv6;

  test("its first and its last address are refused, and say why", () => {
    // What the well-known NAT64 prefix stands for is looked at instead; those two are 0.0.0.0 and 255.255.255.255.
    const translated = block === "64:ff9b::/96";
    for (const address of [bits, last]) {
      expect(addressFault(text(address))).toMatch(translated ? /RFC 791|RFC 1112/ : /RFC \d/);
    }
    expect(rfc).toMatch(/^RFC \d/);
  });
});

describe("public addresses", () => {
  test.each([
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2001:db7:ffff::1",
    "2001:db9::1",
    "2003::1",
    "2606:4700:4700::1111",
    "2620:4f:7fff::1",
    "2620:4f:8001::1",
    "3ffe::1",
    "3fff:1000::1",
  ])("%s", (address) => {
    expect(addressFault(address)).toBeUndefined();
  });
});

describe("addresses that carry an IPv4 address", () => {
  test.each([
    ["IPv4-mapped, public", "::ffff:8.8.8.8", true],
    ["IPv4-mapped in hexadecimal, public", "::ffff:808:808", true],
    ["attacks §1 ::ffff: loopback", "::ffff:127.0.0.1", false],
    ["attacks §1 ::ffff: in hexadecimal, loopback", "::ffff:7f00:1", false],
    ["attacks §1 ::ffff: written out, metadata service", "0:0:0:0:0:ffff:169.254.169.254", false],
    ["attacks §4 BA #9226, metadata service", "::ffff:a9fe:a9fe", false],
    ["attacks §1 ::ffff:, private", "::ffff:10.0.0.1", false],
    ["NAT64, public", "64:ff9b::8.8.8.8", true],
    ["attacks §1 64:ff9b::, loopback", "64:ff9b::127.0.0.1", false],
    ["attacks §1 64:ff9b::, metadata service", "64:ff9b::a9fe:a9fe", false],
    ["attacks §1 64:ff9b::, private", "64:ff9b::192.168.0.1", false],
    ["local NAT64, private", "64:ff9b:1::10.0.0.1", false],
    ["local NAT64, whatever it carries", "64:ff9b:1::8.8.8.8", false],
    ["beside the NAT64 prefix", "64:ff9b::1:8.8.8.8", false],
    ["IPv4-compatible, private", "::10.0.0.1", false],
    ["IPv4-compatible, whatever it carries", "::8.8.8.8", false],
    ["6to4 of loopback", "2002:7f00:1::1", false],
    ["6to4 of the metadata service", "2002:a9fe:a9fe::1", false],
    ["6to4, whatever it carries", "2002:808:808::1", false],
    // 192.168.0.1, obfuscated as Teredo does it, behind a public server.
    ["Teredo of a private client", "2001:0:808:808::3f57:fffe", false],
    ["Teredo of a private server", "2001:0:a00:1::f7f7:f7f7", false],
    ["Teredo, whatever it carries", "2001:0:808:808::f7f7:f7f7", false],
    ["ISATAP, private", "2606:4700::5efe:10.0.0.1", false],
    ["ISATAP with the universal bit, private", "2606:4700::200:5efe:10.0.0.1", false],
    ["ISATAP, public", "2606:4700::5efe:8.8.8.8", true],
    ["no ISATAP, though it ends alike", "2606:4700::1:5efe:a00:1", true],
  ])("%s: %s", (_what, address, isPublic) => {
    expect(addressFault(address) === undefined).toBe(isPublic);
  });
});

describe("outside 2000::/3 nothing is public, given out or not", () => {
  test.each([
    "::2",
    "100::1",
    "200::1",
    "1fff:ffff::1",
    "4000::1",
    "8000::1",
    "a000::1",
    "e000::1",
    "fe00::1",
    "fec0::1",
  ])("%s", (address) => {
    expect(addressFault(address)).toMatch(/RFC/);
  });
});

test.each([
  "",
  "localhost",
  "127.1",
  "0x7f000001",
  "2130706433",
  "127.0.0.1:443",
  "[::1]",
  "fe80::1%eth0",
  "1.2.3.4.5",
])("what is no address in full is not public: %j", (text) => {
  expect(addressFault(text)).toBe("it is not an IP address");
});

function ofIpv4(text: string): bigint {
  return text.split(".").reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function ofIpv6(text: string): bigint {
  const [left = "", right = ""] = text.split("::");
  const groups = (part: string) => part.split(":").filter((group) => group !== "");
  const [head, tail] = [groups(left), groups(right)];
  const all = [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return all.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}

function toIpv4(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join(".");
}

function toIpv6(bits: bigint): string {
  return [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((bits >> shift) & 0xffffn).toString(16)).join(":");
}
