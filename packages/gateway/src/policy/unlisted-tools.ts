import { allowPlace, denyPlace, type PolicyConfig, type RulePlace } from "./compile.ts";
import type { RuleBody } from "./rule-table.ts";

/** A tool that a rule names and no server of the rule has. */
export interface UnlistedTool {
  readonly tool: string;
  readonly rule: RulePlace;
  /** Place among the rule's tools. */
  readonly index: number;
  /** Servers that were looked at: all of the rule's. */
  readonly servers: readonly string[];
}

const rulesOf = ({
  scopes,
  deny,
}: Pick<PolicyConfig, "scopes" | "deny">): readonly (readonly [RuleBody, RulePlace])[] => [
  ...Object.entries(scopes).flatMap(([scope, { allow = [] }]) =>
    allow.map((rule, index) => [rule, allowPlace(scope, index)] as const),
  ),
  ...deny.map((rule, index) => [rule, denyPlace(index)] as const),
];

/**
 * The tools that rules name and no server of theirs lists. A rule is left alone while the list of one of its servers is
 * not known: the tool may be there.
 * @param listed whole lists of tools, by name of the server
 */
export function unlistedTools(
  config: Pick<PolicyConfig, "scopes" | "deny"> & { readonly servers: readonly { readonly name: string }[] },
  listed: ReadonlyMap<string, ReadonlySet<string>>,
): readonly UnlistedTool[] {
  const all = config.servers.map(({ name }) => name);
  return rulesOf(config).flatMap(([{ servers: named, tools }, rule]) => {
    const servers = named.includes("*") ? all : [...new Set(named)];
    if (!servers.every((server) => listed.has(server))) return [];
    return tools.flatMap((tool, index) =>
      tool === "*" || servers.some((server) => listed.get(server)?.has(tool)) ? [] : [{ tool, rule, index, servers }],
    );
  });
}
