import { type Decision, decide, type GatewayRequest } from "@sallyport/gateway";
import type { Entitling, Principal } from "sallyport";
import type { ReadPolicy } from "./read-policy.ts";

/** Claims of a sign-in, as Cognito would tell them; an `email` among them counts as verified. */
export type Claims = Readonly<Record<string, unknown>>;

/** Whom a question is about. */
export interface Subject {
  readonly kind: "user" | "machine";
  /** How to call them in the answer. */
  readonly name: string;
  /** Of a user. */
  readonly groups: readonly string[];
  /** Of a user. */
  readonly claims?: Claims;
  /** What their token holds; everything that they may have when left out. */
  readonly tokenScopes?: readonly string[] | undefined;
  /** A token tells what was given, not by which groups and claims: then what it holds is taken for given. */
  readonly byToken?: boolean;
}

/** An answer, and what it went by. */
export interface Answer {
  readonly decision: Decision;
  /** Why, in one line, with the rule's place. */
  readonly because: string;
  /** The scopes that count: the token's, as far as groups and claims, or settings, give them. */
  readonly scopes: readonly string[];
}

/** Puts a question to the policy as the gateway would. */
export function ask(read: ReadPolicy, subject: Subject, request: GatewayRequest): Answer {
  const resource = read.pathOf(request.server);
  const { catalog } = read;
  const tokenScopes = subject.tokenScopes && catalog.expand(subject.tokenScopes);
  const here = new Set(catalog.ofResource(resource));
  const given =
    subject.kind === "machine" ? catalog.ofMachine(subject.name, resource) : catalog.ofUser(entitlingOf(subject));
  const entitled = (subject.byToken ? (tokenScopes ?? []) : given).filter((scope) => here.has(scope));
  const scopes = tokenScopes ? entitled.filter((scope) => tokenScopes.includes(scope)) : entitled;
  const decision = decide(read.policy, principalWith(subject, resource, scopes, entitled), request);
  return { decision, because: reasonOf(read, request, decision, scopes), scopes };
}

/** The scopes any one of which, with what it includes, would be enough for a request, whoever holds it. */
export function scopesThatGive(read: ReadPolicy, subject: Subject, request: GatewayRequest): readonly string[] {
  const resource = read.pathOf(request.server);
  return read.catalog.ofResource(resource).filter((scope) => {
    const held = read.catalog.expand([scope]);
    return decide(read.policy, principalWith(subject, resource, held, held), request).allow;
  });
}

function principalWith(
  { kind, name, groups }: Subject,
  resource: string,
  scopes: readonly string[],
  entitled: readonly string[],
): Principal {
  return {
    kind,
    subject: name,
    groups,
    claims: {},
    clientId: name,
    resource,
    tokenScopes: scopes,
    scopes,
    entitled,
    expiresAt: 0,
    doors: { token: true, grant: true },
  };
}

function entitlingOf({ groups, claims = {} }: Subject): Entitling {
  const { sub, email } = claims;
  const known = { sub: typeof sub === "string" ? sub : "", groups, claims };
  return typeof email === "string" ? { ...known, email, emailVerified: true } : known;
}

/** The request that a tool's call is. */
export const callOf = (tool: string): GatewayRequest => {
  const slash = tool.indexOf("/");
  return { server: tool.slice(0, slash), httpMethod: "POST", method: "tools/call", name: tool.slice(slash + 1) };
};

function reasonOf(
  { policy, placeOf }: ReadPolicy,
  { server }: GatewayRequest,
  { allow, because, rule }: Decision,
  scopes: readonly string[],
): string {
  if (rule !== undefined) return rule.kind === "deny" ? `${placeOf(rule)} denies it` : `${placeOf(rule)} gives it`;
  const required = policy.servers.get(server)?.requiredScopes ?? [];
  const missing = allow ? [] : required.filter((scope) => !scopes.includes(scope));
  return missing.length === 0 ? because : `the server requires ${missing.join(" and ")}`;
}
