import { knownMethods } from "@sallyport/gateway";
import type { Findings } from "./finding.ts";
import type { Dialect, RegistryEntry } from "./registry-scopes.ts";

/** An allow rule, as it is written. */
export interface ImportedRule {
  readonly server: string;
  readonly tools: readonly string[];
  readonly methods: readonly string[];
}

const callTool = "tools/call";
const isWildcard = (name: string): boolean => name === "*" || name === "all";

/** Names that a rule here takes for more than a method, and that meant nothing there. */
const presets = new Set(["*", "all", "read", "lifecycle"]);
const httpVerb = /^(?:http:.*|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)$/;
const methodFamily = /^(?:notifications|prompts|resources|tools|completion|logging|tasks|sampling|roots|elicitation)\//;

const known: ReadonlySet<string> = new Set(knownMethods);
const knownInSmall: ReadonlySet<string> = new Set(knownMethods.map((method) => method.toLowerCase()));

/** Whether a rule may name a method, and a request for it could ever pass. */
const isMethod = (name: string): boolean =>
  known.has(name) || (name.includes("/") && /^[\x21-\x7e]+$/.test(name) && !knownInSmall.has(name.toLowerCase()));

const looksLikeMethod = (name: string): boolean => known.has(name) || methodFamily.test(name);

/**
 * One entry of the registry as an allow rule that gives the same.
 * @param server what the server is called here
 * @returns `undefined` where nothing of it is left
 */
export function toRule(
  entry: RegistryEntry,
  scope: string,
  server: string,
  dialect: Dialect,
  findings: Findings,
): ImportedRule | undefined {
  const { line } = entry;
  const at = `${scope} at ${entry.server}`;
  const methods = new Set<string>();
  const tools = new Set<string>();
  let everyMethod = false;
  let everyTool = false;
  let callsTools = false;

  for (const name of entry.methods) {
    if (dialect.wildcards && isWildcard(name)) everyMethod = true;
    else if (name === callTool) callsTools = true;
    else if (presets.has(name)) {
      findings.dropped(line, `${at}: the method ${name}, which stood for nothing; write it again if it is to mean all`);
    } else if (httpVerb.test(name)) {
      findings.dropped(line, `${at}: the method ${name}; GET and DELETE need any rule for the server here`);
    } else if (isMethod(name)) methods.add(name);
    else findings.dropped(line, `${at}: the method ${JSON.stringify(name)}, which is none of MCP's`);
  }
  for (const name of entry.tools) {
    if (dialect.wildcards && isWildcard(name)) everyTool = true;
    else if (name.includes("*")) {
      findings.dropped(line, `${at}: the tool ${JSON.stringify(name)}; patterns stood for nothing`);
    } else if (name === "" || name.length > 256) findings.dropped(line, `${at}: a tool whose name cannot be one`);
    else if (looksLikeMethod(name) && dialect.methodsAmongTools) {
      if (name === callTool) findings.dropped(line, `${at}: tools/call among the tools; it is no tool`);
      else {
        methods.add(name);
        findings.changed(line, `${at}: ${name} stood among the tools, where it counted as a method; it is one now`);
      }
    } else {
      if (name === "all")
        findings.note(line, `${at}: the tool all was one tool of that name, not every tool; so it is here`);
      if (looksLikeMethod(name))
        findings.note(line, `${at}: ${name} among the tools is no method; it stays a tool's name`);
      tools.add(name);
    }
  }

  if ((everyTool || tools.size > 0) && !callsTools && !everyMethod) {
    const kept =
      "its tools may be called although methods has no tools/call, as before; take tools out if that is not meant";
    findings.note(line, `${at}: ${kept}`);
  }
  if ((callsTools || everyMethod) && !everyTool && tools.size === 0) {
    findings.note(line, `${at}: may call tools but names none, so none may be called, as before`);
  }
  const rule = { server, tools: everyTool ? ["*"] : [...tools], methods: everyMethod ? ["all"] : [...methods] };
  if (rule.tools.length + rule.methods.length > 0) return rule;
  findings.dropped(line, `${at}: gives nothing`);
  return undefined;
}
