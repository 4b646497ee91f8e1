import { describe, expect, test } from "vitest";
import { clientAddress, limitKey, trustedNetworks } from "./index.ts";

const proxies = trustedNetworks(["10.0.0.0/8", "fd00::/8", "::1"]);
const far = "203.0.113.7";

const seen = (peer: string | undefined, ...lines: readonly string[]): string | undefined =>
  clientAddress(peer, new Headers(lines.map((line): [string, string] => ["x-forwarded-for", line])), proxies);

describe("who makes a request", () => {
  test.each<[string, string | undefined, readonly string[], string | undefined]>([
    ["no proxy", far, [], far],
    ["a stranger that passes for a proxy", far, ["198.51.100.1"], far],
    ["a stranger that names a proxy", far, ["198.51.100.1, 10.0.0.1"], far],
    ["a proxy without the header", "10.0.0.1", [], "10.0.0.1"],
    ["a proxy with an empty one", "10.0.0.1", [" , "], "10.0.0.1"],
    ["a proxy's client", "10.0.0.1", [far], far],
    ["a proxy over IPv4-mapped IPv6", "::ffff:10.0.0.1", [far], far],
    ["a client that prepends", "10.0.0.1", [`198.51.100.1, 10.0.0.9, ${far}`], far],
    ["a client that prepends a line", "10.0.0.1", ["198.51.100.1", far], far],
    ["a client that prepends rubbish", "10.0.0.1", [`", unknown, ${far}`], far],
    ["two proxies", "10.0.0.1", [`${far}, 10.0.0.2`], far],
    ["two proxies, each with its own line", "10.0.0.1", [far, "10.0.0.2"], far],
    ["only proxies: the farthest", "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"],
    ["a port", "10.0.0.1", [`${far}:555`], far],
    ["IPv6 with brackets and a port", "10.0.0.1", ["[2001:db8::1]:80"], "2001:db8::1"],
    ["IPv6 with brackets", "10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"],
    ["IPv6", "fd00::1", ["2001:DB8:0::1"], "2001:db8::1"],
    ["a mapped client", "::1", [`::ffff:${far}`], far],
    ["empty elements", "10.0.0.1", [`${far}, , 10.0.0.2,`], far],
    // What cannot be read names nobody: whoever passed it on counts.
    ["unknown", "10.0.0.1", ["unknown"], "10.0.0.1"],
    ["an obfuscated name", "10.0.0.1", [`${far}, _hidden, 10.0.0.2`], "10.0.0.2"],
    ["a name", "10.0.0.1", ["client.example"], "10.0.0.1"],
    ["too large an octet", "10.0.0.1", ["203.0.113.777"], "10.0.0.1"],
    ["too long a port", "10.0.0.1", [`${far}:5555555`], "10.0.0.1"],
    ["an open bracket", "10.0.0.1", ["[2001:db8::1"], "10.0.0.1"],
    ["no socket", undefined, [far], undefined],
    ["a peer that is no address", "/run/proxy.sock", [far], "/run/proxy.sock"],
    ["a peer with a port", "10.0.0.1:4711", [far], far],
    ["a link-local peer", "fe80::1%eth0", [far], "fe80::1"],
  ])("%s", (_what, peer, lines, expected) => {
    expect(seen(peer, ...lines)).toBe(expected);
  });

  test("without trusted proxies the header says nothing", () => {
    const headers = new Headers({ "x-forwarded-for": far });
    expect(clientAddress("10.0.0.1", headers, [])).toBe("10.0.0.1");
  });

  test("no other header says anything", () => {
    const headers = new Headers({
      forwarded: `for=${far}`,
      "x-real-ip": far,
      "x-client-ip": far,
      "true-client-ip": far,
    });
    expect(clientAddress("10.0.0.1", headers, proxies)).toBe("10.0.0.1");
  });

  test("ten thousand entries are read", () => {
    expect(seen("10.0.0.1", `${far}, ${"10.0.0.2, ".repeat(10_000)}10.0.0.3`)).toBe(far);
  });

  test("settings that the rules would have refused start nothing", () => {
    expect(() => trustedNetworks(["proxy.internal"])).toThrow(RangeError);
  });
});

test.each([
  [far, far],
  [`::ffff:${far}`, far],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8::/64"],
  ["::1", "::/64"],
  ["/run/proxy.sock", "/run/proxy.sock"],
  [undefined, "unknown"],
])("%s counts as %s", (address, key) => {
  expect(limitKey(address)).toBe(key);
});
