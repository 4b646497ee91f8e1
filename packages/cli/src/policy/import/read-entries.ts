import type { Findings } from "./finding.ts";
import type { RegistryEntry } from "./registry-scopes.ts";
import type { YamlDocument } from "./yaml-documents.ts";

type Path = readonly (string | number)[];

/** Whether a value is a table. */
export const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The texts of a list. What is no list is dropped: a single text was taken apart there, and never meant as a whole. */
export function textsAt(document: YamlDocument, value: unknown, path: Path, findings: Findings): readonly string[] {
  if (value === undefined || value === null) return [];
  const what = String(path.at(-1));
  if (!Array.isArray(value)) {
    findings.dropped(document.lineOf(path), `${what}: is no list`);
    return [];
  }
  return value.flatMap((one: unknown, index): string[] => {
    if (typeof one === "string") return [one];
    const place = document.lineOf([...path, index]);
    findings.dropped(place, `${what}: ${JSON.stringify(one)} is no text and never matched anything`);
    return [];
  });
}

/** The entries of a scope: server, methods and tools. Those about agents, and keys without a meaning here, are reported. */
export function entriesAt(
  document: YamlDocument,
  value: unknown,
  path: Path,
  scope: string,
  findings: Findings,
): readonly RegistryEntry[] {
  if (!Array.isArray(value)) {
    findings.dropped(document.lineOf(path), `${scope}: has no list of servers`);
    return [];
  }
  return value.flatMap((entry: unknown, index): RegistryEntry[] => {
    const here = [...path, index];
    const line = document.lineOf(here);
    if (isTable(entry) && "agent" in entry) {
      findings.dropped(
        line,
        `${scope}: what it gives at the agent ${JSON.stringify(entry.agent)}; there are no agents here`,
      );
      return [];
    }
    if (!isTable(entry) || typeof entry.server !== "string") {
      findings.dropped(line, `${scope}: an entry that names no server`);
      return [];
    }
    for (const key of Object.keys(entry)) {
      if (["server", "methods", "tools"].includes(key)) continue;
      findings.dropped(document.lineOf([...here, key]), `${scope}: ${key} of ${entry.server} has no meaning here`);
    }
    if (!("tools" in entry))
      findings.note(line, `${scope}: no tools are named at ${entry.server}, so none may be called`);
    return [
      {
        line,
        server: entry.server,
        methods: textsAt(document, entry.methods, [...here, "methods"], findings),
        tools: textsAt(document, entry.tools, [...here, "tools"], findings),
      },
    ];
  });
}
