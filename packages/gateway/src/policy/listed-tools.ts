import type { Logger } from "sallyport";
import type { Policy } from "./compile.ts";
import { unlistedTools } from "./unlisted-tools.ts";

/** A page of a server's list of tools, as the server gave it. */
export interface ToolsPage {
  /** Of the request; `undefined` for the first page. */
  readonly cursor: string | undefined;
  readonly names: readonly string[];
  /** Where the next page begins; `undefined` for the last. */
  readonly nextCursor: string | undefined;
}

/** Learns from the lists that pass by which tools there are, and tells of rules that name others. */
export interface ListedTools {
  /** @param policy the one in force; another than before begins anew */
  saw(policy: Policy, server: string, page: ToolsPage): void;
}

/** Lists that were begun and whose next page has not passed by yet. */
const mostUnfinished = 32;
/** Names of one list; a longer one is not looked at. */
const mostNames = 20_000;

/**
 * Warns of each rule and tool once, as soon as whole lists of all servers of the rule have passed by. A server may list
 * different tools to different callers; what one of them was shown counts as listed.
 */
export function createListedTools(logger: Pick<Logger, "warn">): ListedTools {
  let current: Policy | undefined;
  const listed = new Map<string, ReadonlySet<string>>();
  const unfinished = new Map<string, readonly string[]>();
  const warned = new Set<string>();

  const learn = (policy: Policy, server: string, names: readonly string[]): void => {
    const before = listed.get(server);
    if (before !== undefined && names.every((name) => before.has(name))) return;
    const known = new Set([...(before ?? []), ...names]);
    if (known.size > mostNames) return;
    listed.set(server, known);
    // More names on a list that was known can only put right what was told before.
    if (before !== undefined) return;
    for (const { tool, rule, servers } of unlistedTools(policy.config, listed)) {
      const key = JSON.stringify([rule.setting, tool]);
      if (warned.has(key)) continue;
      warned.add(key);
      logger.warn("a rule names a tool that no server lists", { rule: rule.setting, tool, servers: servers.join(" ") });
    }
  };

  return {
    saw(policy, server, { cursor, names, nextCursor }) {
      if (policy !== current) {
        current = policy;
        for (const memory of [listed, unfinished, warned]) memory.clear();
      }
      const begun = cursor === undefined ? [] : unfinished.get(keyOf(server, cursor));
      if (begun === undefined) return;
      const all = begun.length === 0 ? names : [...begun, ...names];
      if (nextCursor === undefined) return learn(policy, server, all);
      if (all.length > mostNames) return;
      const key = keyOf(server, nextCursor);
      unfinished.delete(key);
      unfinished.set(key, all);
      const oldest = unfinished.keys().next();
      if (unfinished.size > mostUnfinished && !oldest.done) unfinished.delete(oldest.value);
    },
  };
}

const keyOf = (server: string, cursor: string): string => JSON.stringify([server, cursor]);
