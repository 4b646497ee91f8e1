/** Lists in results, and by which request what they name is used. */
const lists = [
  { member: "tools", key: "name", method: "tools/call" },
  { member: "prompts", key: "name", method: "prompts/get" },
  { member: "resources", key: "uri", method: "resources/read" },
  { member: "resourceTemplates", key: "uriTemplate", method: "resources/read" },
] as const;

/** What may be shown to whoever asked. */
export interface ListFilter {
  /** Whether they may use what an entry names: the very decision that a request for it would meet. */
  readonly permits: (method: string, name: string) => boolean;
  /** From 2026-07-28 on: the result says who may keep it (MCP, Caching). */
  readonly hasCacheScope: boolean;
  /** Told the names in a list of tools, also of those that are hidden; `nextCursor` where it goes on. */
  readonly sawTools?: (names: readonly string[], nextCursor: string | undefined) => void;
}

/**
 * A JSON-RPC message with only those entries in its lists that may be used, marked as one principal's own. An entry that
 * has no name cannot be judged and goes.
 * @returns the very value if there is no list in it
 */
export function filterLists(message: unknown, filter: ListFilter): unknown {
  if (Array.isArray(message)) return message.map((one: unknown) => filterLists(one, filter));
  if (!isObject(message) || !isObject(message.result)) return message;
  const result: Record<string, unknown> = { ...message.result };
  let found = false;
  for (const { member, key, method } of lists) {
    const entries = result[member];
    if (!Array.isArray(entries)) continue;
    found = true;
    if (member === "tools") filter.sawTools?.(entries.flatMap(nameOf), cursorOf(result.nextCursor));
    result[member] = entries.filter((entry: unknown) => {
      const name = isObject(entry) ? entry[key] : undefined;
      return typeof name === "string" && filter.permits(method, name);
    });
  }
  if (!found) return message;
  if (filter.hasCacheScope || "cacheScope" in result) result.cacheScope = "private";
  return { ...message, result };
}

const nameOf = (tool: unknown): string[] => (isObject(tool) && typeof tool.name === "string" ? [tool.name] : []);

const cursorOf = (cursor: unknown): string | undefined => (typeof cursor === "string" ? cursor : undefined);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
