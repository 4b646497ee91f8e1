import { reservedNames } from "@sallyport/gateway";
import type { Findings } from "./finding.ts";
import type { RegistryScopes } from "./registry-scopes.ts";

/** What servers are called here, by what they are called in the file; `*` stays itself. */
export type ServerNames = ReadonlyMap<string, string>;

const longest = 32;
const allowed = /^[a-z0-9-]{1,32}$/;

/**
 * Finds a name for every server: the one it has, where that can be the path of a server here, else one that is near.
 * What names no server at all is reported, and has none.
 */
export function serverNames({ dialect, scopes }: RegistryScopes, findings: Findings): ServerNames {
  const names = new Map<string, string>();
  const first = new Map<string, number | undefined>();
  for (const { entries } of scopes) {
    for (const { server, line } of entries) if (!first.has(server)) first.set(server, line);
  }
  const taken = new Set([...first.keys()].filter(isName));
  /** Several ways of writing one path mean one server. */
  const byPath = new Map<string, string>();
  for (const [written, line] of first) {
    if (written === "*" && dialect.wildcards) {
      names.set(written, "*");
      continue;
    }
    const path = dialect.normalisesServers ? normalised(written) : written;
    const name = isName(path) ? path : (byPath.get(path) ?? nearName(path, taken));
    if (name === undefined) {
      findings.dropped(
        line,
        `the server ${JSON.stringify(written)}, with every rule for it: it is no path of one part`,
      );
      continue;
    }
    byPath.set(path, name);
    taken.add(name);
    names.set(written, name);
    if (name === written) continue;
    findings.changed(line, `the server ${JSON.stringify(written)} is called ${name} here, and is at /${name}/mcp`);
  }
  return names;
}

const isName = (name: string): boolean => allowed.test(name) && !reservedNames.has(name);

/** Without slashes around it and without what a transport adds. */
const normalised = (server: string): string =>
  server
    .replace(/^\/+|\/+$/g, "")
    .replace(/\/(?:mcp|sse|messages)$/, "")
    .replace(/\/+$/, "");

function nearName(path: string, taken: ReadonlySet<string>): string | undefined {
  if (path.includes("/") || path.includes("*")) return undefined;
  const plain = path
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  if (plain === "") return undefined;
  const stem = reservedNames.has(plain) ? `${plain}-server` : plain;
  for (let n = 1; n < 1000; n += 1) {
    const end = n === 1 ? "" : `-${n}`;
    const name = `${stem.slice(0, longest - end.length)}${end}`;
    if (isName(name) && !taken.has(name)) return name;
  }
  return undefined;
}
