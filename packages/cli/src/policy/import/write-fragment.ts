import type { ImportedRule } from "./to-rule.ts";

/** Settings that an import makes. */
export interface Fragment {
  /** What it came from, for its first line. */
  readonly origin: string;
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly scopes: readonly {
    readonly name: string;
    readonly description: string | undefined;
    readonly rules: readonly ImportedRule[];
  }[];
  /** Name → URL of the MCP endpoint. */
  readonly servers: ReadonlyMap<string, string>;
}

/** The settings as TOML. */
export function writeFragment({ origin, groups, scopes, servers }: Fragment): string {
  const lines = [`# Imported from ${printable(origin)}.`];
  if (groups.size > 0) {
    lines.push("", "[groups]");
    for (const [name, given] of groups) lines.push(`${key(name)} = ${list(given)}`);
  }
  for (const { name, description, rules } of scopes) {
    lines.push("", `[scopes.${key(name)}]`);
    if (description !== undefined) lines.push(`description = ${quote(description)}`);
    lines.push("allow = [");
    for (const { server, tools, methods } of rules) {
      lines.push(`  { servers = ${list([server])}, tools = ${list(tools)}, methods = ${list(methods)} },`);
    }
    lines.push("]");
  }
  for (const [name, url] of servers) lines.push("", "[[servers]]", `name = ${quote(name)}`, `url = ${quote(url)}`);
  return `${lines.join("\n")}\n`;
}

const list = (texts: readonly string[]): string => `[${texts.map(quote).join(", ")}]`;

const key = (name: string): string => (/^[A-Za-z0-9_-]+$/.test(name) ? name : quote(name));

/** A basic string (TOML 1.0): as JSON has it, with one character more that must be escaped. */
const quote = (text: string): string => JSON.stringify(text.toWellFormed()).replaceAll("\u007f", "\\u007f");

const printable = (text: string): string => text.replace(/\p{C}/gu, " ");
