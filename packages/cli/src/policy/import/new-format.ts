import type { Findings } from "./finding.ts";
import { entriesAt, isTable, textsAt } from "./read-entries.ts";
import { current, type RegistryEntry, type RegistryScopes } from "./registry-scopes.ts";
import type { YamlDocument } from "./yaml-documents.ts";

/** Whether a value is a scope's document. */
export const isScopeDocument = (value: unknown): boolean =>
  isTable(value) && ("scope_name" in value || "server_access" in value);

const read = new Set(["_id", "scope_name", "description", "group_mappings", "server_access"]);
/** Kept by the database for itself. */
const bookkeeping = new Set(["created_at", "updated_at", "created_by", "updated_by", "version", "is_active"]);

/** Reads scopes as they are kept now, one document each; several of one name count together. */
export function readNewFormat(documents: readonly YamlDocument[], findings: Findings): RegistryScopes {
  const scopes = new Map<string, { line: number | undefined; description?: string; entries: RegistryEntry[] }>();
  const groups = new Map<string, string[]>();
  for (const document of documents) {
    const { value, lineOf } = document;
    const line = lineOf([]);
    const name = isTable(value) ? (value.scope_name ?? value._id) : undefined;
    if (!isTable(value) || typeof name !== "string") {
      findings.dropped(line, "a document without scope_name");
      continue;
    }
    if (typeof value._id === "string" && value._id !== name) {
      findings.note(lineOf(["_id"]), `${name}: its _id is ${value._id}; scope_name counts`);
    }
    const before = scopes.get(name);
    if (before) findings.changed(line, `${name}: comes more than once; what the documents give is added up`);
    const scope = before ?? { line, entries: [] };
    scopes.set(name, scope);
    if (typeof value.description === "string" && value.description !== "") scope.description = value.description;
    for (const key of Object.keys(value)) {
      if (read.has(key)) continue;
      if (key === "ui_permissions") {
        const what = isTable(value[key]) ? Object.keys(value[key]).join(", ") : "";
        if (what !== "")
          findings.dropped(lineOf([key]), `${name}: ui_permissions (${what}); there are no such rights here yet`);
      } else if (key === "create_in_idp") {
        findings.note(lineOf([key]), `${name}: create_in_idp; make groups and scopes in Cognito yourself`);
      } else if (!bookkeeping.has(key)) findings.dropped(lineOf([key]), `${name}: ${key} has no meaning here`);
    }
    if (value.server_access !== undefined) {
      scope.entries.push(...entriesAt(document, value.server_access, ["server_access"], name, findings));
    }
    for (const group of textsAt(document, value.group_mappings, ["group_mappings"], findings)) {
      const given = groups.get(group) ?? [];
      groups.set(group, given.includes(name) ? given : [...given, name]);
    }
  }
  return { dialect: current, scopes: [...scopes].map(([name, scope]) => ({ name, ...scope })), groups };
}
