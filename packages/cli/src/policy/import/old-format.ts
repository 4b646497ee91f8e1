import type { Findings } from "./finding.ts";
import { entriesAt, isTable, textsAt } from "./read-entries.ts";
import { june2025, type RegistryScope, type RegistryScopes } from "./registry-scopes.ts";
import type { YamlDocument } from "./yaml-documents.ts";

const uiScopes = "UI-Scopes";
const groupMappings = "group_mappings";

/**
 * Reads `scopes.yml` as it was in June 2025: `UI-Scopes`, `group_mappings`, and under every other key a scope with its
 * entries.
 */
export function readOldFormat(document: YamlDocument, findings: Findings): RegistryScopes {
  const file = isTable(document.value) ? document.value : {};
  const scopes = Object.entries(file).flatMap(([name, value]): RegistryScope[] => {
    if (name === uiScopes || name === groupMappings) return [];
    return [{ name, line: document.lineOf([name]), entries: entriesAt(document, value, [name], name, findings) }];
  });
  const ui = isTable(file[uiScopes]) ? file[uiScopes] : {};
  for (const [name, permissions] of Object.entries(ui)) {
    const what = isTable(permissions) ? Object.keys(permissions).join(", ") : "";
    findings.dropped(
      document.lineOf([uiScopes, name]),
      `UI-Scopes: ${name} (${what}); there are no such rights here yet`,
    );
  }
  const mappings = isTable(file[groupMappings]) ? file[groupMappings] : {};
  const groups = new Map<string, readonly string[]>();
  for (const [group, value] of Object.entries(mappings)) {
    const path = [groupMappings, group];
    const named = textsAt(document, value, path, findings);
    const known = named.filter((name, index) => {
      if (scopes.some((scope) => scope.name === name)) return true;
      const line = document.lineOf([...path, index]);
      if (Object.hasOwn(ui, name)) findings.dropped(line, `${group}: ${name}, which has rights in UI-Scopes only`);
      else findings.dropped(line, `${group}: there is no scope ${name}, so it gave nothing`);
      return false;
    });
    groups.set(group, [...new Set(known)]);
  }
  return { dialect: june2025, scopes, groups };
}
