/**
 * What counts as one address for limits: an IPv4 address, also where it comes as `::ffff:…`, or an IPv6 /64, as one
 * IPv6 customer has at least that.
 */
export function addressOf(address: string | undefined): string {
  if (address === undefined) return "unknown";
  if (!address.includes(":") || address.startsWith("::ffff:")) return address.replace("::ffff:", "");
  const [head = "", tail = ""] = address.split("::");
  const groups = head.split(":").filter((group) => group !== "");
  const after = tail.split(":").filter((group) => group !== "");
  const zeros = address.includes("::") ? Array<string>(Math.max(0, 8 - groups.length - after.length)).fill("0") : [];
  return [...groups, ...zeros, ...after].slice(0, 4).join(":");
}
