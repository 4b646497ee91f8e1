import { z } from "zod";
import { systemScopes } from "./client-config.ts";
import type { ConfigProblem } from "./config-error.ts";
import { ConfigError } from "./config-error.ts";
import type { PoolSettings } from "./pool-config.ts";
import { poolConfig, poolSections } from "./pool-config.ts";

type Sections = Pick<PoolSettings, "clients" | "resourceServers" | "groups" | "identityProviders" | "users">;

/** Turns zod's findings into problems, one for each unknown key. `at` is the place of the checked value. */
export function problemsOf(error: z.ZodError, at: readonly PropertyKey[] = []): ConfigProblem[] {
  return error.issues.flatMap((issue) => {
    const path = [...at, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ path: showPath([...path, key]), message: "is not a known setting" }));
    }
    if (issue.code === "invalid_key") {
      return issue.issues.map(({ message }) => ({ path: showPath(path), message }));
    }
    return [{ path: showPath(path), message: issue.message }];
  });
}

/** `pool.users[0].attributes["custom:team"]` */
function showPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    const name = String(key);
    if (!/^\w+$/.test(name)) return `${text}[${JSON.stringify(name)}]`;
    return text === "" ? name : `${text}.${name}`;
  }, "");
}

/**
 * Reads a pool and reports everything that is wrong with it at once. What one section says about another is checked
 * wherever both can be read, so that a spelling mistake in one place does not hide an unknown group in another.
 * @throws ConfigError
 */
export function checkPool(input: unknown, at: readonly PropertyKey[] = ["pool"]): PoolSettings {
  const whole = poolConfig.safeParse(input);
  const problems = whole.success ? [] : problemsOf(whole.error, at);
  const sections = readSections(input);
  const report = (path: readonly PropertyKey[], message: string): void => {
    problems.push({ path: showPath([...at, ...path]), message });
  };
  checkScopes(sections, report);
  checkGroups(sections, report);
  checkProviders(sections, report);
  reportTwice(sections.clients, "clients", "id", (client) => client.id, report);
  reportTwice(sections.users, "users", "username", (user) => user.username.toLowerCase(), report);
  reportTwice(sections.users, "users", "sub", (user) => user.sub, report);
  reportTwice(sections.groups, "groups", "name", (group) => group.name, report);
  reportTwice(sections.identityProviders, "identityProviders", "name", (provider) => provider.name, report);
  reportTwice(sections.resourceServers, "resourceServers", "identifier", (server) => server.identifier, report);
  if (whole.success && whole.data.signInWith === "email") checkAddresses(whole.data, report);
  if (!whole.success || problems.length > 0) throw new ConfigError(problems);
  return whole.data;
}

type Report = (path: readonly PropertyKey[], message: string) => void;

function readSections(input: unknown): Partial<Sections> {
  const pool = z.record(z.string(), z.unknown()).safeParse(input).data ?? {};
  const clients = poolSections.clients.safeParse(pool.clients).data;
  const resourceServers = poolSections.resourceServers.safeParse(pool.resourceServers).data;
  const groups = poolSections.groups.safeParse(pool.groups).data;
  const identityProviders = poolSections.identityProviders.safeParse(pool.identityProviders).data;
  const users = poolSections.users.safeParse(pool.users).data;
  return {
    ...(clients && { clients }),
    ...(resourceServers && { resourceServers }),
    ...(groups && { groups }),
    ...(identityProviders && { identityProviders }),
    ...(users && { users }),
  };
}

function checkScopes({ clients, resourceServers }: Partial<Sections>, report: Report): void {
  if (clients === undefined || resourceServers === undefined) return;
  const known = new Set(systemScopes);
  for (const server of resourceServers) for (const { name } of server.scopes) known.add(`${server.identifier}/${name}`);
  for (const [index, client] of clients.entries()) {
    for (const [place, scope] of client.scopes.entries()) {
      if (known.has(scope)) continue;
      report(["clients", index, "scopes", place], `${scope} does not exist: no resource server has it`);
    }
  }
}

function checkGroups({ users, groups }: Partial<Sections>, report: Report): void {
  if (users === undefined || groups === undefined) return;
  const known = new Set(groups.map(({ name }) => name));
  for (const [index, user] of users.entries()) {
    for (const [place, name] of user.groups.entries()) {
      if (!known.has(name)) report(["users", index, "groups", place], `${name} is not one of the pool's groups`);
    }
  }
}

function checkProviders({ users, identityProviders }: Partial<Sections>, report: Report): void {
  if (identityProviders === undefined) return;
  const identifiers = new Set<string>();
  for (const [index, provider] of identityProviders.entries()) {
    for (const [place, identifier] of provider.identifiers.entries()) {
      if (identifiers.has(identifier)) report(["identityProviders", index, "identifiers", place], "stands twice");
      identifiers.add(identifier);
    }
  }
  const known = new Set(identityProviders.map(({ name }) => name));
  for (const [index, { identityProvider: name }] of (users ?? []).entries()) {
    if (name === undefined || known.has(name)) continue;
    report(["users", index, "identityProvider"], `${name} is not one of the pool's identity providers`);
  }
}

function checkAddresses({ users }: PoolSettings, report: Report): void {
  for (const [index, user] of users.entries()) {
    // Whoever comes from elsewhere signs in there, by whatever name.
    if (user.identityProvider !== undefined) continue;
    const { email } = user.attributes;
    if (!/^[^@\s]+@[^@\s]+$/.test(user.username)) {
      report(["users", index, "username"], "must be an e-mail address, because people sign in with it");
    } else if (email !== undefined && email.toLowerCase() !== user.username.toLowerCase()) {
      report(["users", index, "attributes", "email"], "must be the user name, because people sign in with it");
    }
  }
}

function reportTwice<T>(
  items: readonly T[] | undefined,
  section: string,
  member: string,
  key: (item: T) => string | undefined,
  report: Report,
): void {
  const seen = new Set<string>();
  for (const [index, item] of (items ?? []).entries()) {
    const value = key(item);
    if (value === undefined) continue;
    if (seen.has(value)) report([section, index, member], "stands twice");
    seen.add(value);
  }
}
