import { isDeepStrictEqual } from "node:util";
import type { ChangedSetting } from "sallyport";
import type { GatewaySettings } from "../config/load-gateway-config.ts";

/** Settings with entries of their own, and what one of them is called. */
const records = {
  scopes: "scope",
  groups: "group",
  clients: "client",
  machines: "machine",
  resourceServers: "resource server",
} as const;

/** More names of one kind are only counted. */
const mostNames = 8;

/**
 * What has changed, in words: names only, never a value, as some are secret.
 * @param changed the settings that differ
 */
export function describeChange(
  before: GatewaySettings,
  after: GatewaySettings,
  changed: readonly ChangedSetting[],
): readonly string[] {
  return changed.flatMap(({ path: [key], name }) => {
    if (key === "servers") return entries("server", byName(before.servers), byName(after.servers));
    if (isRecordKey(key)) return entries(records[key], before[key], after[key]);
    return [`${name} changed`];
  });
}

const isRecordKey = (key: unknown): key is keyof typeof records =>
  typeof key === "string" && Object.hasOwn(records, key);

const byName = (servers: GatewaySettings["servers"]) => Object.fromEntries(servers.map((one) => [one.name, one]));

function entries(
  kind: string,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): readonly string[] {
  const added = Object.keys(after).filter((name) => !Object.hasOwn(before, name));
  const removed = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const other = Object.keys(after).filter(
    (name) => Object.hasOwn(before, name) && !isDeepStrictEqual(before[name], after[name]),
  );
  const said = [told(kind, "added", added), told(kind, "removed", removed), told(kind, "changed", other)];
  // The same entries in another order.
  return said.every((text) => text === undefined)
    ? [`order of ${kind}s changed`]
    : said.filter((text) => text !== undefined);
}

function told(kind: string, what: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const some = names.length > mostNames ? `${names.length}` : names.join(", ");
  return `${kind}${names.length === 1 ? "" : "s"} ${what}: ${some}`;
}
