import type { GatewayRequest } from "@sallyport/gateway";
import { systemClock } from "sallyport";
import { CommandFailure } from "../process/failure.ts";
import { writeError, writeLine } from "../process/output.ts";
import { ask, type Claims, callOf, type Subject, scopesThatGive } from "./ask.ts";
import { parseClaims } from "./parse-claim.ts";
import { type PolicySource, type ReadPolicy, readPolicy } from "./read-policy.ts";
import { readToken } from "./read-token.ts";

/** Options of `policy explain`. */
export interface ExplainOptions extends PolicySource {
  readonly user?: string;
  readonly group?: readonly string[];
  readonly claim?: readonly string[];
  readonly machine?: string;
  /** A file, or `-` or nothing for standard input. */
  readonly token?: string | true;
  readonly scope?: readonly string[];
  readonly tool?: string;
  readonly server?: string;
  readonly method?: string;
  readonly json?: boolean;
}

/**
 * `sallyport policy explain`: whether somebody may do something, and why.
 * @param input where a token is read from
 * @returns the exit status, 0 whatever the answer is
 * @throws CommandFailure for settings that cannot be used and questions that cannot be understood
 */
export async function explainPolicy(options: ExplainOptions, input: NodeJS.ReadableStream): Promise<number> {
  checkWho(options);
  const read = await readPolicy(options);
  const request = requestOf(options, read);
  const subject =
    options.token === undefined ? subjectOf(options, read) : await subjectOfToken(options, request, read, input);
  const { decision, because, scopes } = ask(read, subject, request);
  const challenge = decision.allow ? undefined : /scope="([^"]*)"/.exec(decision.refusal.challenge ?? "")?.[1];
  const givenBy = decision.allow ? [] : scopesThatGive(read, subject, request);
  const what = request.name === undefined ? `${request.server} ${request.method}` : `${request.server}/${request.name}`;
  const { kind, name, groups, claims = {} } = subject;
  if (options.json) {
    const { allow, rule } = decision;
    const wants = { server: request.server, method: request.method, tool: request.name };
    const decided = { allow, because, rule: rule?.setting, scope: rule?.kind === "allow" ? rule.scope : undefined };
    const answer = { kind, name, groups, claims, scopes, ...wants, ...decided, challenge, given_by: givenBy };
    writeLine(JSON.stringify(answer, null, 2));
    return 0;
  }
  writeLine(`${name} ${decision.allow ? "may" : "may not"} use ${what}: ${because}`);
  if (kind === "user" && !subject.byToken) {
    writeLine(`groups: ${groups.join(" ") || "none"}`);
    if (read.config.claims.length > 0) writeLine(`claims: ${Object.keys(claims).join(" ") || "none"}`);
  }
  writeLine(`scopes that count: ${scopes.join(" ") || "none"}`);
  if (givenBy.length > 0) writeLine(`scopes that would give it: ${givenBy.join(" ")}`);
  if (challenge !== undefined) writeLine(`a new sign-in would help: it is asked for ${challenge}`);
  return 0;
}

function requestOf(options: ExplainOptions, { config }: ReadPolicy): GatewayRequest {
  const { tool, server, method } = options;
  if (
    tool === undefined ? server === undefined || method === undefined : server !== undefined || method !== undefined
  ) {
    throw new CommandFailure("name what is asked: --tool SERVER/TOOL, or --server NAME with --method METHOD");
  }
  if (tool !== undefined && !/^[^/]+\/./.test(tool)) {
    throw new CommandFailure(`--tool ${tool} is not of the form SERVER/TOOL, such as notes/add_note`);
  }
  const request: GatewayRequest =
    tool === undefined ? { server: server ?? "", httpMethod: "POST", method } : callOf(tool);
  if (config.servers.some(({ name }) => name === request.server)) return request;
  const known = config.servers.map(({ name }) => name).join(", ");
  throw new CommandFailure(`there is no server ${request.server}; there are: ${known || "none"}`);
}

/** Options that would be of no effect beside each other are refused. */
function checkWho({ user, group, claim, machine, token, scope }: ExplainOptions): void {
  const isUser = user !== undefined || group !== undefined || claim !== undefined;
  if (machine !== undefined && isUser) throw new CommandFailure("give one of --user (or --group) and --machine");
  if (token !== undefined && (user !== undefined || machine !== undefined || scope !== undefined)) {
    throw new CommandFailure(
      "a token says whose it is and what it holds; give --token without --user, --machine, --scope",
    );
  }
}

function subjectOf(options: ExplainOptions, { users, config }: ReadPolicy): Subject {
  const { user, group, machine, scope } = options;
  if (machine !== undefined) {
    if (!Object.hasOwn(config.machines, machine)) {
      const known = Object.keys(config.machines).join(", ");
      throw new CommandFailure(`there is no machine ${machine}; there are: ${known || "none"}`);
    }
    return { kind: "machine", name: machine, groups: [], tokenScopes: scope };
  }
  const claims = parseClaims(options.claim ?? []);
  const found = users.find(({ username }) => username === user || username.startsWith(`${user}@`));
  if (group === undefined && found) {
    return { kind: "user", name: found.username, groups: found.groups, claims, tokenScopes: scope };
  }
  if (group !== undefined || options.claim !== undefined) {
    const name = user ?? nameOf(group ?? [], claims);
    return { kind: "user", name, groups: group ?? [], claims, tokenScopes: scope };
  }
  if (user === undefined) {
    throw new CommandFailure("name whom it is about: --user, --group, --claim, --machine or --token");
  }
  throw new CommandFailure(
    users.length > 0
      ? `the local Cognito has no user ${user}; it has: ${users.map(({ username }) => username).join(", ")}`
      : `which groups ${user} is in is known to Cognito only: name them with --group, or give a token with --token`,
  );
}

function nameOf(groups: readonly string[], claims: Claims): string {
  const named = Object.keys(claims);
  const parts = [
    ...(groups.length > 0 ? [`in ${groups.join(", ")}`] : []),
    ...(named.length > 0 ? [`with ${named.join(", ")}`] : []),
  ];
  return `a user ${parts.join(" ")}`;
}

async function subjectOfToken(
  { token, group, claim }: ExplainOptions,
  { server }: GatewayRequest,
  read: ReadPolicy,
  input: NodeJS.ReadableStream,
): Promise<Subject> {
  const { sub, aud, scope, principal, exp } = await readToken(typeof token === "string" ? token : "-", input);
  const urls = read.urlsOf(server);
  if (!urls.includes(aud)) throw new CommandFailure(`the token is for ${aud} and opens nothing at ${urls.join(", ")}`);
  if (exp !== undefined && exp * 1000 <= systemClock.now()) {
    writeError(`the token ended on ${new Date(exp * 1000).toISOString()}: this is what it would open`);
  }
  const tokenScopes = scope.split(" ").filter((one) => one !== "");
  const named = { kind: principal, name: sub, tokenScopes };
  if (principal === "machine" || (group === undefined && claim === undefined)) {
    return { ...named, groups: [], byToken: principal === "user" };
  }
  return { ...named, groups: group ?? [], claims: { sub, ...parseClaims(claim ?? []) } };
}
