/** How a version of mcp-gateway-registry reads its rules. */
export interface Dialect {
  readonly name: string;
  /** Whether `*` and `all` stand for everything, `*` among servers too. */
  readonly wildcards: boolean;
  /** Whether a method counts that stands among the tools. */
  readonly methodsAmongTools: boolean;
  /** Whether `/billing/mcp` names the server billing. */
  readonly normalisesServers: boolean;
}

/** June 2025: `scopes.yml` with `UI-Scopes`, `group_mappings` and a list of entries for each scope. */
export const june2025: Dialect = {
  name: "the scopes.yml of June 2025",
  wildcards: false,
  methodsAmongTools: true,
  normalisesServers: false,
};

/** Now: one document for each scope. */
export const current: Dialect = {
  name: "one document for each scope",
  wildcards: true,
  methodsAmongTools: false,
  normalisesServers: true,
};

/** What a scope of the registry gives at one server. */
export interface RegistryEntry {
  readonly line: number | undefined;
  readonly server: string;
  readonly methods: readonly string[];
  readonly tools: readonly string[];
}

/** A scope of the registry, as far as it decides about MCP requests. */
export interface RegistryScope {
  readonly name: string;
  readonly line: number | undefined;
  readonly description?: string;
  readonly entries: readonly RegistryEntry[];
}

/** What a file says, in the order in which it says it. */
export interface RegistryScopes {
  readonly dialect: Dialect;
  readonly scopes: readonly RegistryScope[];
  /** Group → names of scopes. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
}
