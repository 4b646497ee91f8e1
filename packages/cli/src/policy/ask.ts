import { type Decision, decide, type GatewayRequest } from "@sallyport/gateway";
import type { Principal } from "sallyport";
import type { ReadPolicy } from "./read-policy.ts";

/** Whom a question is about. */
export interface Subject {
  readonly kind: "user" | "machine";
  /** How to call them in the answer. */
  readonly name: string;
  /** Of a user. */
  readonly groups: readonly string[];
  /** What their token holds; everything that they may have when left out. */
  readonly tokenScopes?: readonly string[] | undefined;
  /** A token tells what was given, not the groups: then what it holds is taken for given. */
  readonly byToken?: boolean;
}

/** An answer, and what it went by. */
export interface Answer {
  readonly decision: Decision;
  /** The scopes that count: the token's, as far as groups or settings give them. */
  readonly scopes: readonly string[];
}

/** Puts a question to the policy as the gateway would. */
export function ask(read: ReadPolicy, subject: Subject, request: GatewayRequest): Answer {
  const resource = read.pathOf(request.server);
  const { catalog } = read;
  const tokenScopes = subject.tokenScopes && catalog.expand(subject.tokenScopes);
  const here = new Set(catalog.ofResource(resource));
  const given =
    subject.kind === "machine" ? catalog.ofMachine(subject.name, resource) : catalog.ofGroups(subject.groups);
  const entitled = (subject.byToken ? (tokenScopes ?? []) : given).filter((scope) => here.has(scope));
  const scopes = tokenScopes ? entitled.filter((scope) => tokenScopes.includes(scope)) : entitled;
  const principal: Principal = {
    kind: subject.kind,
    subject: subject.name,
    groups: subject.groups,
    claims: {},
    clientId: subject.name,
    resource,
    tokenScopes: tokenScopes ?? entitled,
    scopes,
    entitled,
    expiresAt: 0,
    doors: { token: true, grant: true },
  };
  return { decision: decide(read.policy, principal, request), scopes };
}

/** The request that a tool's call is. */
export const callOf = (tool: string): GatewayRequest => {
  const slash = tool.indexOf("/");
  return { server: tool.slice(0, slash), httpMethod: "POST", method: "tools/call", name: tool.slice(slash + 1) };
};

/** Why, in one line, with the rule's place. */
export function reasonOf({ placeOf }: ReadPolicy, { because, rule }: Decision): string {
  if (rule === undefined) return because;
  return rule.kind === "deny" ? `${placeOf(rule)} denies it` : `${placeOf(rule)} gives it`;
}
