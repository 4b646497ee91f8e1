import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { text } from "node:stream/consumers";
import { formatProblem } from "sallyport";
import { loadGatewayConfig } from "../../config/load-gateway-config.ts";
import { CommandFailure, systemReason } from "../../process/failure.ts";
import { writeError } from "../../process/output.ts";
import { createFindings, type Finding, type Findings } from "./finding.ts";
import { isScopeDocument, readNewFormat } from "./new-format.ts";
import { readOldFormat } from "./old-format.ts";
import type { RegistryScopes } from "./registry-scopes.ts";
import { type ServerNames, serverNames } from "./server-names.ts";
import { type ImportedRule, toRule } from "./to-rule.ts";
import { writeFragment } from "./write-fragment.ts";
import { type YamlDocument, yamlDocuments } from "./yaml-documents.ts";

/** Options of `policy import`. */
export interface ImportOptions {
  /** `NAME=URL`, NAME as in the file or as it is called here. */
  readonly server?: readonly string[];
}

/** Settings, and what became of everything that is not in them as it was. */
export interface Imported {
  readonly toml: string;
  readonly findings: readonly Finding[];
  /** Servers that have no URL yet. */
  readonly withoutUrl: readonly string[];
}

/** Bytes. */
const maxFile = 4 * 1024 * 1024;
/** Where a server stands that has no URL yet, while the settings are tried. */
const nowhere = "https://server.invalid/mcp";

/**
 * `sallyport policy import`: writes the scopes of mcp-gateway-registry as settings to stdout, and to stderr what is
 * left out and what means something else.
 * @param file a path, or `-` for standard input
 * @returns the exit status
 * @throws CommandFailure for a file that cannot be read or has no rules that could be used
 */
export async function importPolicy(
  file: string,
  options: ImportOptions,
  input: NodeJS.ReadableStream,
): Promise<number> {
  const content = file === "-" ? await text(input) : await readWhole(file);
  const name = file === "-" ? "stdin" : file;
  const { toml, findings, withoutUrl } = importScopes(content, name, options.server ?? []);
  for (const finding of findings) writeError(`${finding.kind}: ${placeOf(finding, name)}${finding.message}`);
  for (const server of withoutUrl) {
    writeError(`missing: the URL of ${server}; give --server ${server}=https://…, or add [[servers]] yourself`);
  }
  const { warnings } = await loadGatewayConfig({
    env: anyDeployment,
    file: "stdout",
    text: toml + withoutUrl.map((server) => `[[servers]]\nname = "${server}"\nurl = "${nowhere}"\n`).join(""),
  });
  for (const warning of warnings) writeError(`warning: ${formatProblem(warning)}`);
  process.stdout.write(toml);
  return 0;
}

/** What concerns the file as a whole comes last. */
const lineOrLast = ({ line }: Finding): number => line ?? Number.MAX_SAFE_INTEGER;

const placeOf = ({ line }: Finding, name: string): string => (line === undefined ? "" : `${name}:${line}: `);

/** What every deployment has besides; so that the settings can be tried, and lines are those of the output. */
const anyDeployment = {
  SALLYPORT_BASE_URL: "https://mcp.example.com",
  COGNITO_USER_POOL_ID: "eu-central-1_Example",
  COGNITO_CLIENT_ID: "example",
  COGNITO_CLIENT_SECRET: "none",
  COGNITO_DOMAIN: "example",
};

async function readWhole(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > maxFile) throw new CommandFailure(`${file} is longer than 4 MiB`);
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(`${file} cannot be read: ${systemReason(error)}`);
  }
}

/**
 * Turns scopes of mcp-gateway-registry, of June 2025 or of now, into settings that decide alike.
 * @param name what the file is called in messages
 * @param servers `NAME=URL` each
 * @throws CommandFailure if it is neither format, or gives nothing that could be given here
 */
export function importScopes(content: string, name: string, servers: readonly string[]): Imported {
  const findings = createFindings();
  const registry = readRegistry(yamlDocuments(content, name), name, findings);
  const names = serverNames(registry, findings);
  const scopes = registry.scopes.flatMap(({ name: scope, line, description, entries }) => {
    const rules = entries.flatMap((entry): ImportedRule[] => {
      const server = names.get(entry.server);
      const rule = server === undefined ? undefined : toRule(entry, scope, server, registry.dialect, findings);
      return rule === undefined ? [] : [rule];
    });
    const known = scopeNameOf(scope);
    if (rules.length === 0) findings.dropped(line, `the scope ${scope}: it gives nothing at any server`);
    if (rules.length > 0 && known !== scope)
      findings.changed(line, `the scope ${JSON.stringify(scope)} is called ${known}`);
    return rules.length === 0 ? [] : [{ from: scope, name: known, description: shortened(description), rules }];
  });
  if (scopes.length === 0) throw new CommandFailure(`${name} gives nothing at any server; there is nothing to import`);
  if (new Set(scopes.map((scope) => scope.name)).size < scopes.length) {
    throw new CommandFailure(`${name} has scopes whose names differ in characters only that a scope cannot have`);
  }
  const groups = new Map<string, readonly string[]>();
  for (const [group, given] of registry.groups) {
    const kept = scopes.filter((scope) => given.includes(scope.from)).map((scope) => scope.name);
    if (kept.length === 0) findings.dropped(undefined, `the group ${group}: nothing is left that it gives`);
    else if (group === "" || group.length > 128) findings.dropped(undefined, `the group ${group}: no name for a group`);
    else groups.set(group, kept);
  }
  noteDifferences(registry, scopes, findings);
  const urls = urlsOf(servers, names, name);
  const used = new Set(
    scopes.flatMap(({ rules }) => rules.map(({ server }) => server)).filter((server) => server !== "*"),
  );
  const origin = `${basename(name)} of mcp-gateway-registry (${registry.dialect.name})`;
  return {
    toml: writeFragment({ origin, groups, scopes, servers: urls }),
    findings: findings.all.toSorted((a, b) => lineOrLast(a) - lineOrLast(b)),
    withoutUrl: [...used].filter((server) => !urls.has(server)),
  };
}

function readRegistry(documents: readonly YamlDocument[], name: string, findings: Findings): RegistryScopes {
  const all = documents.flatMap(elements).filter(({ value }) => value !== null);
  const [first, ...more] = all;
  if (all.some(({ value }) => isScopeDocument(value))) return readNewFormat(all, findings);
  if (first === undefined || typeof first.value !== "object") {
    throw new CommandFailure(`${name} has no scopes of mcp-gateway-registry in it`);
  }
  if (more.length > 0) throw new CommandFailure(`${name} has ${all.length} documents; the old format has one`);
  return readOldFormat(first, findings);
}

/** The documents in an exported list. */
const elements = (document: YamlDocument): readonly YamlDocument[] =>
  Array.isArray(document.value)
    ? document.value.map((value: unknown, index) => ({ value, lineOf: (path) => document.lineOf([index, ...path]) }))
    : [document];

/** A name that OAuth allows for a scope (RFC 6749 §3.3). */
const scopeNameOf = (name: string): string => name.replace(/[^\x21\x23-\x5b\x5d-\x7e]+/g, "-").slice(0, 256);

/** As long as a description may be. */
const shortened = (description: string | undefined): string | undefined =>
  description === undefined || description.length <= 200 ? description : `${description.slice(0, 199)}…`;

function urlsOf(servers: readonly string[], names: ServerNames, file: string): ReadonlyMap<string, string> {
  const urls = new Map<string, string>();
  const known = new Set([...names.values()].filter((name) => name !== "*"));
  for (const given of servers) {
    const equals = given.indexOf("=");
    const written = given.slice(0, equals);
    if (equals < 1) throw new CommandFailure(`--server ${given} is not of the form NAME=URL`);
    const name = names.get(written) ?? written;
    if (!known.has(name)) {
      throw new CommandFailure(`${file} names no server ${written}; it names: ${[...known].join(", ") || "none"}`);
    }
    urls.set(name, given.slice(equals + 1));
  }
  return urls;
}

/** What differs whatever the file says. */
function noteDifferences(
  { dialect }: RegistryScopes,
  scopes: readonly { readonly rules: readonly ImportedRule[] }[],
  findings: Findings,
): void {
  const note = (message: string): void => findings.note(undefined, message);
  if (!dialect.wildcards) {
    note("who has no scope is refused, and so are requests without a body or with several; they were let through");
    note("lists show what may be used and nothing else; they were not filtered");
    note("a JSON-RPC method that has the name of a tool is no longer let through");
  }
  note("GET, DELETE and answers to a server's questions need any rule for the server");
  note("machines: name each Cognito app client under [machines] with its scopes; its token alone is not enough");
  const methods = new Set(scopes.flatMap(({ rules }) => rules.flatMap((rule) => rule.methods)));
  if (!methods.has("all") && !methods.has("server/discover")) {
    note("clients of MCP 2026-07-28 send server/discover as well: add lifecycle to methods for them");
  }
}
