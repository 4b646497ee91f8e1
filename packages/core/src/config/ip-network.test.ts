import { describe, expect, test } from "vitest";
import { formatIpAddress, holdsAddress, parseIpAddress, parseIpNetwork } from "./ip-network.ts";

test.each([
  ["10.1.2.3", "10.1.2.3"],
  ["0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["::FFFF:a01:203", "10.1.2.3"],
  ["0:0:0:0:0:ffff:10.1.2.3", "10.1.2.3"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"],
  ["64:ff9b::10.1.2.3", "64:ff9b::a01:203"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
  // IPv4-compatible, long deprecated (RFC 4291 §2.5.5.1): another address than the IPv4 one.
  ["::10.1.2.3", "::a01:203"],
])("%s is the address %s", (text, canonical) => {
  const address = parseIpAddress(text);
  expect(address && formatIpAddress(address)).toBe(canonical);
});

test.each([
  "",
  "unknown",
  "10.1.2",
  "10.1.2.256",
  "010.1.2.3",
  "0x0a.1.2.3",
  "167838211",
  "10.1.2.3 ",
  "10.1.2.3:80",
  "[::1]",
  "::1%lo",
  ":::",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "12345::",
  "::ffff:10.1.2",
  "_hidden",
])("%j is none", (text) => {
  expect(parseIpAddress(text)).toBeUndefined();
});

describe("networks", () => {
  const holds = (network: string, address: string): boolean => {
    const [parsed, member] = [parseIpNetwork(network), parseIpAddress(address)];
    if (typeof parsed === "string" || !member) throw new Error(`${network}: ${String(parsed)}`);
    return holdsAddress(parsed, member);
  };

  test.each<[string, string, boolean]>([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.0.0.0/8", "::ffff:10.0.0.1", true],
    ["::ffff:10.0.0.0/104", "10.9.9.9", true],
    ["::ffff:10.0.0.0/104", "11.0.0.0", false],
    ["::ffff:10.0.0.7", "10.0.0.7", true],
    ["192.168.1.128/25", "192.168.1.127", false],
    ["192.168.1.128/25", "192.168.1.128", true],
    ["10.0.0.7", "10.0.0.7", true],
    ["10.0.0.7", "10.0.0.8", false],
    ["10.0.0.7/32", "10.0.0.7", true],
    ["fd00::/8", "fdff::1", true],
    ["fd00::/8", "fe80::1", false],
    ["2001:db8::/33", "2001:db8:8000::", false],
    ["::1", "::1", true],
    ["::1", "::2", false],
    ["::1/128", "::1", true],
    // An IPv6 network never holds IPv4, even where the numbers fit.
    ["::/8", "0.0.0.1", false],
  ])("%s holds %s: %s", (network, address, expected) => {
    expect(holds(network, address)).toBe(expected);
  });

  test.each<[string, RegExp]>([
    ["proxy.internal", /write one such as 10\.0\.0\.7, 10\.0\.0\.0\/8/],
    ["", /is not an address/],
    ["10.0.0.0/", /is not an address/],
    ["10.0.0.0/8/8", /is not an address/],
    ["10.0.0.0/+8", /is not an address/],
    ["10.0.0.0-10.0.0.9", /is not an address/],
    ["*", /is not an address/],
    ["10.0.0.0/33", /no number from 1 to 32/],
    ["::1/129", /no number from 1 to 128/],
    ["::ffff:10.0.0.0/8", /no number from 97 to 128/],
    ["0.0.0.0/0", /each caller could choose its own/],
    ["::/0", /each caller could choose its own/],
    ["::ffff:0:0/96", /each caller could choose its own/],
    ["10.0.0.1/8", /write 10\.0\.0\.0\/8$/],
    ["fd00::1/8", /write fd00::\/8$/],
  ])("%j is refused: %s", (text, message) => {
    expect(parseIpNetwork(text)).toMatch(message);
  });
});
