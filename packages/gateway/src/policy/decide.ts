import { BearerRefusal, type Principal, requireScopes } from "sallyport";
import type { Policy, RulePlace } from "./compile.ts";
import { type GatewayRequest, unjudgeable } from "./request.ts";
import { denying, giving } from "./rule-table.ts";

/** `because` and `rule` are for the operator; they never go to the client. */
export type Decision =
  | { readonly allow: true; readonly because: string; readonly rule?: RulePlace }
  | { readonly allow: false; readonly because: string; readonly rule?: RulePlace; readonly refusal: BearerRefusal };

/** What is known of a principal that decides anything. */
export type Judged = Pick<
  Principal,
  "kind" | "subject" | "clientId" | "groups" | "resource" | "scopes" | "entitled" | "doors"
>;

/** A verdict before anybody is told: `missing` where further scopes could change it. */
type Verdict =
  | Extract<Decision, { readonly allow: true }>
  | {
      readonly allow: false;
      readonly because: string;
      readonly rule?: RulePlace;
      readonly missing?: readonly string[];
    };

const required: Verdict = { allow: true, because: "every scope that the server requires is there" };
const noScopes: Verdict = { allow: false, because: "no scope at all" };
const unknownServer: Verdict = { allow: false, because: "the server is not configured" };
const otherResource: Verdict = { allow: false, because: "the token is for another resource" };

/**
 * Whether a principal may do what it asks. Every decision of the gateway goes through here: when a request comes in,
 * again while its response is open, and for each entry of a list. Denies unless everything speaks for it. A deny rule
 * wins over whatever scopes give.
 *
 * What it takes grows with the principal's own groups and scopes, not with the rules, servers or tools there are.
 */
export function decide(policy: Policy, principal: Principal, request: GatewayRequest): Decision {
  const verdict = judge(policy, principal, request);
  if (verdict.allow) return verdict;
  const { because, rule, missing } = verdict;
  const challenge = missing === undefined ? undefined : requireScopes(principal, missing, policy.challenges);
  const refusal = challenge ?? BearerRefusal.notPermitted();
  return rule === undefined ? { allow: false, because, refusal } : { allow: false, because, rule, refusal };
}

/** What decided, for the operator: the rule by its place, which names the scope, or why there is none. */
export const decidedBy = ({ rule, because }: Decision): string => rule?.setting ?? because;

/** The same decision without the answer to the client: for the entries of a list, of which there may be many. */
export const permits = (policy: Policy, principal: Judged, request: GatewayRequest): boolean =>
  judge(policy, principal, request).allow;

function judge(policy: Policy, principal: Judged, request: GatewayRequest): Verdict {
  const server = policy.servers.get(request.server);
  if (server === undefined) return unknownServer;
  if (!server.resources.has(principal.resource)) return otherResource;
  const denied = deniedBy(policy, principal, request);
  if (denied !== undefined) return { allow: false, because: "a deny rule", rule: denied };
  const unclear = unjudgeable(request);
  if (unclear !== undefined) return { allow: false, because: unclear };
  const missing = server.requiredScopes.filter((scope) => !principal.scopes.includes(scope));
  if (!policy.byRules) {
    if (missing.length > 0) return { allow: false, because: "a scope that the server requires is missing", missing };
    return principal.scopes.length === 0 ? noScopes : required;
  }
  const rule = givenBy(policy, principal.scopes, request);
  if (missing.length === 0 && rule !== undefined) return { allow: true, because: "a scope gives it", rule };
  return lacking(policy, principal, request, missing);
}

function deniedBy({ deny }: Policy, principal: Judged, request: GatewayRequest): RulePlace | undefined {
  const all = denying(deny.everyone, request);
  if (all !== undefined) return all;
  if (principal.kind === "machine") {
    const table = deny.byMachine.get(principal.subject);
    return table && denying(table, request);
  }
  if (deny.byGroup.size === 0) return undefined;
  for (const group of principal.groups) {
    const table = deny.byGroup.get(group);
    const rule = table && denying(table, request);
    if (rule !== undefined) return rule;
  }
  return undefined;
}

function givenBy({ scopes }: Policy, held: Iterable<string>, request: GatewayRequest): RulePlace | undefined {
  for (const scope of held) {
    const grants = scopes.get(scope);
    const rule = grants && giving(grants.table, request);
    if (rule !== undefined) return rule;
  }
  return undefined;
}

/**
 * What a principal lacks: the required scopes that are missing and, where these bring no rule that gives what is asked,
 * the one scope within its reach that adds least. Nothing where no scope within its reach would help.
 */
function lacking(policy: Policy, principal: Judged, request: GatewayRequest, missing: readonly string[]): Verdict {
  const held = new Set(principal.scopes);
  for (const scope of missing) for (const included of closureOf(policy, scope)) held.add(included);
  const because = missing.length > 0 ? "a scope that the server requires is missing" : "no scope gives it";
  if (givenBy(policy, held, request) !== undefined) return { allow: false, because, missing };
  let best: readonly string[] | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const scope of principal.entitled) {
    const added = [...closureOf(policy, scope)].filter((included) => !held.has(included));
    if (added.length === 0 || added.length >= fewest) continue;
    if (givenBy(policy, added, request) === undefined) continue;
    fewest = added.length;
    best = [scope];
  }
  return best === undefined
    ? { allow: false, because: "no scope gives it" }
    : { allow: false, because, missing: [...missing, ...best] };
}

const closureOf = ({ scopes }: Policy, scope: string): ReadonlySet<string> =>
  scopes.get(scope)?.closure ?? new Set([scope]);
