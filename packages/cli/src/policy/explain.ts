import { text } from "node:stream/consumers";
import type { GatewayRequest } from "@sallyport/gateway";
import { z } from "zod";
import { CommandFailure } from "../process/failure.ts";
import { writeLine } from "../process/output.ts";
import { ask, callOf, reasonOf, type Subject } from "./ask.ts";
import { type PolicySource, type ReadPolicy, readPolicy } from "./read-policy.ts";

/** Options of `policy explain`. */
export interface ExplainOptions extends PolicySource {
  readonly user?: string;
  readonly group?: readonly string[];
  readonly machine?: string;
  readonly token?: boolean;
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
  const read = await readPolicy(options);
  const request = requestOf(options, read);
  const subject = options.token ? await subjectOfToken(await text(input), request, read) : subjectOf(options, read);
  const { decision, scopes } = ask(read, subject, request);
  const challenge = decision.allow ? undefined : /scope="([^"]*)"/.exec(decision.refusal.challenge ?? "")?.[1];
  const because = reasonOf(read, decision);
  const what = request.name === undefined ? `${request.server} ${request.method}` : `${request.server}/${request.name}`;
  if (options.json) {
    const { kind, name, groups } = subject;
    const wants = { server: request.server, method: request.method, tool: request.name };
    const answer = { kind, name, groups, scopes, ...wants, allow: decision.allow, because, challenge };
    writeLine(JSON.stringify(answer, null, 2));
    return 0;
  }
  writeLine(`${subject.name} ${decision.allow ? "may" : "may not"} use ${what}: ${because}`);
  if (subject.kind === "user" && !subject.byToken) writeLine(`groups: ${subject.groups.join(" ") || "none"}`);
  writeLine(`scopes that count: ${scopes.join(" ") || "none"}`);
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

function subjectOf({ user, group, machine, scope }: ExplainOptions, { users, config }: ReadPolicy): Subject {
  if (machine !== undefined && (user !== undefined || group !== undefined)) {
    throw new CommandFailure("give one of --user (or --group) and --machine");
  }
  if (machine !== undefined) {
    if (!Object.hasOwn(config.machines, machine)) {
      const known = Object.keys(config.machines).join(", ");
      throw new CommandFailure(`there is no machine ${machine}; there are: ${known || "none"}`);
    }
    return { kind: "machine", name: machine, groups: [], tokenScopes: scope };
  }
  if (group !== undefined) {
    return { kind: "user", name: user ?? `a user in ${group.join(", ")}`, groups: group, tokenScopes: scope };
  }
  if (user === undefined) throw new CommandFailure("name whom it is about: --user, --group, --machine or --token");
  const found = users.find(({ username }) => username === user || username.startsWith(`${user}@`));
  if (found) return { kind: "user", name: found.username, groups: found.groups, tokenScopes: scope };
  throw new CommandFailure(
    users.length > 0
      ? `the local Cognito has no user ${user}; it has: ${users.map(({ username }) => username).join(", ")}`
      : `which groups ${user} is in is known to Cognito only: name them with --group, or give a token with --token`,
  );
}

const claims = z.object({
  sub: z.string(),
  aud: z.string(),
  scope: z.string(),
  principal: z.enum(["user", "machine"]),
});

/** What a token says of its holder. It is not verified: nobody gets anything by it. */
async function subjectOfToken(token: string, { server }: GatewayRequest, read: ReadPolicy): Promise<Subject> {
  const part = token.trim().split(".")[1] ?? "";
  let payload: unknown;
  try {
    payload = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    payload = undefined;
  }
  const { data } = claims.safeParse(payload);
  if (!data) throw new CommandFailure("standard input holds no access token of Sallyport's");
  const resource = `${read.config.baseUrl}${read.pathOf(server)}`;
  if (data.aud !== resource) {
    throw new CommandFailure(`the token is for ${data.aud} and opens nothing at ${resource}`);
  }
  const scopes = data.scope.split(" ").filter((scope) => scope !== "");
  const byToken = data.principal === "user";
  return { kind: data.principal, name: data.sub, groups: [], tokenScopes: scopes, byToken };
}
