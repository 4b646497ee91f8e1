import { claimRules } from "./check-claims.ts";
import { keyRules } from "./check-keys.ts";
import { scopeRules } from "./check-scopes.ts";
import { parseIpNetwork } from "./ip-network.ts";
import { hasOwnKeys } from "./own-keys.ts";
import { type Rule, ruleFor } from "./rule.ts";
import type { CoreConfig } from "./section.ts";
import { isLoopbackHost } from "./values.ts";
import type { Path } from "./walk.ts";

/**
 * The rules to apply: the core's and a package's own. A rule of the same name takes the place of the core's, for a
 * package that finds, say, its resources elsewhere.
 */
export function withRules(further: readonly Rule[] = []): readonly Rule[] {
  const byName = new Map([...coreRules, ...further].map((rule) => [rule.name, rule]));
  return [...byName.values()];
}

const rule = ruleFor<CoreConfig>();

/** First segments of paths that the server itself answers. */
export const reservedSegments: ReadonlySet<string> = new Set([
  "authorize",
  "consent",
  "auth",
  "token",
  "register",
  "revoke",
  "introspect",
  "device",
  "device_authorization",
  "logout",
  "verify",
  "healthz",
  "readyz",
  "metrics",
  "console",
  "api",
  ".well-known",
]);

const cognitoDomain = rule("cognito-domain", ["cognito"], ({ cognito }, report) => {
  const { domain } = cognito;
  if (/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i.test(domain)) return;
  const url = URL.canParse(domain) ? new URL(domain) : undefined;
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  const wrong = (message: string): void => report.problem(["cognito", "domain"], message);
  if (!isWeb) wrong("write the prefix, the host name of a custom domain, or a full URL, https://…");
  else if (url.protocol === "http:" && !isLoopbackHost(url.hostname)) wrong("must be https (http only on loopback)");
  else if (url.href.replace(/\/$/, "") !== url.origin) wrong("must have no path, query, fragment or user name");
});

const providerHint = rule("provider-hint", ["cognito"], ({ cognito }, report) => {
  if (cognito.identityProvider === undefined || cognito.idpIdentifier === undefined) return;
  const other = report.name(["cognito", "identityProvider"]);
  report.problem(["cognito", "idpIdentifier"], `names an identity provider, as ${other} does; keep one of the two`);
});

const isHttps = (text: string): boolean => URL.canParse(text) && new URL(text).protocol === "https:";

const firstParty = rule("first-party", ["clients"], ({ clients }, report) => {
  for (const [id, client] of Object.entries(clients)) {
    const confidential = client.secretHashes.length > 0 || hasOwnKeys(client);
    if (!client.firstParty || confidential || client.redirectUris.every(isHttps)) continue;
    const mend = `give it a secret or keys, or https addresses only in ${report.name(["clients", id, "redirectUris"])}`;
    report.problem(["clients", id, "firstParty"], `any program could pass for this client and skip consent; ${mend}`);
  }
});

const defaultResource = rule("default-resource", ["defaultResource", "resources"], (config, report) => {
  if (config.defaultResource === undefined) return;
  const paths = config.resources.map((resource) => resource.path);
  if (paths.includes(config.defaultResource)) return;
  const list = paths.length === 0 ? "none" : paths.join(", ");
  report.problem(["defaultResource"], `is not the path of a resource; there are: ${list}`);
});

const machineResource = rule("machine-resource", ["machines", "resources"], (config, report) => {
  const paths = config.resources.map((resource) => resource.path);
  for (const [id, machine] of Object.entries(config.machines)) {
    machine.resources?.forEach((path, index) => {
      if (paths.includes(path)) return;
      const message = `is not the path of a resource; there are: ${paths.length === 0 ? "none" : paths.join(", ")}`;
      report.problem(["machines", id, "resources", index], message);
    });
  }
});

const resourceServerResource = rule("resource-server-resource", ["resourceServers", "resources"], (config, report) => {
  const paths = config.resources.map((resource) => resource.path);
  for (const [id, server] of Object.entries(config.resourceServers)) {
    server.resources.forEach((path, index) => {
      if (paths.includes(path)) return;
      const message = `is not the path of a resource; there are: ${paths.length === 0 ? "none" : paths.join(", ")}`;
      report.problem(["resourceServers", id, "resources", index], message);
    });
  }
});

const duplicatePath = rule("duplicate-path", ["resources"], ({ resources }, report) => {
  const first = new Map<string, number>();
  resources.forEach(({ path }, index) => {
    const other = first.get(path);
    if (other === undefined) first.set(path, index);
    else {
      const message = `${path} is the path of ${report.name(["resources", other])} already; give each its own`;
      report.problem(["resources", index, "path"], message);
    }
  });
});

const reservedPath = rule("reserved-path", ["resources"], ({ resources }, report) => {
  resources.forEach(({ path }, index) => {
    const segment = path.split("/")[1] ?? "";
    if (!reservedSegments.has(segment)) return;
    report.problem(["resources", index, "path"], `/${segment} is Sallyport's own; choose another path such as /mcp`);
  });
});

const furtherUrl = rule("further-url", ["resources", "baseUrl"], ({ resources, baseUrl }, report) => {
  const { host } = new URL(baseUrl);
  const first = new Map<string, Path>();
  resources.forEach(({ urls }, index) => {
    urls?.forEach((url, at) => {
      const here: Path = ["resources", index, "urls", at];
      const other = first.get(url);
      if (other !== undefined) report.problem(here, `stands at ${report.name(other)} already; give each its own`);
      first.set(url, here);
      if (new URL(url).host !== host) return;
      const mend = "take a host name of its own, or write a path in an entry of its own";
      report.problem(here, `is on the host of ${report.name(["baseUrl"])}; ${mend}`);
    });
  });
});

const anyLoopbackPort = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\]):\*$/;

const allowedOrigin = rule("allowed-origin", ["allowedOrigins"], ({ allowedOrigins }, report) => {
  allowedOrigins.forEach((text, index) => {
    if (anyLoopbackPort.test(text)) return;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    // A URL parser takes `*` for part of a host name, but no browser ever sends it.
    const isWeb = (url?.protocol === "https:" || url?.protocol === "http:") && !url.hostname.includes("*");
    if (isWeb && url.origin === text) return;
    // Only the origin is repeated: the rest of the URL may hold a password.
    const mend = isWeb ? `write ${url.origin}` : "write one such as https://app.example.com; patterns are not possible";
    report.problem(["allowedOrigins", index], `is not a plain origin (scheme, host and port); ${mend}`);
  });
});

const trustedProxy = rule("trusted-proxy", ["trustedProxies"], ({ trustedProxies }, report) => {
  trustedProxies.forEach((text, index) => {
    const network = parseIpNetwork(text);
    if (typeof network === "string") report.problem(["trustedProxies", index], network);
  });
});

const weakSecret = rule("weak-secret", ["secret"], ({ secret }, report) => {
  secret.forEach((text, index) => {
    if (text.length >= 32 && new Set(text).size >= 10) return;
    const message = "is too weak: take at least 32 random bytes, such as from: openssl rand -base64 32";
    report.problem(["secret", index], message);
  });
});

const weakInitialAccessToken = rule("weak-initial-access-token", ["registration"], ({ registration }, report) => {
  registration.initialAccessTokens.forEach((text, index) => {
    if (text.length >= 20) return;
    const message = "is too easy to guess: take at least 20 characters, such as from: openssl rand -base64 32";
    report.problem(["registration", "initialAccessTokens", index], message);
  });
});

const issuerPath = rule("issuer-path", ["issuer"], ({ issuer }, report) => {
  if (issuer === undefined || new URL(issuer).pathname === "/") return;
  report.warn(["issuer"], "has a path: hosted clients look at the origin and may not find it; prefer an origin");
});

const storeScheme = rule("store-scheme", ["store"], ({ store }, report) => {
  if (store === "memory:" || /^(?:sqlite:.|rediss?(?:\+sentinel|\+cluster)?:\/\/.|dynamodb:\/\/.)/.test(store)) return;
  // Only the scheme is repeated: the rest of the URL may hold a password.
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(store)?.[0];
  const what = scheme === undefined ? "has no scheme" : `cannot be ${scheme}`;
  report.problem(["store"], `${what}; write memory:, sqlite:./path, redis://host:6379 or dynamodb://table?region=…`);
});

const publishBefore = rule("publish-before", ["keys"], ({ keys }, report) => {
  if (keys.publishBefore < keys.rotateEvery) return;
  const message = `must be shorter than ${report.name(["keys", "rotateEvery"])}, or every key would sign for longer than that`;
  report.problem(["keys", "publishBefore"], message);
});

/** What holds between the settings of the core section. */
export const coreRules: readonly Rule[] = [
  ...scopeRules,
  ...claimRules,
  ...keyRules,
  cognitoDomain,
  providerHint,
  firstParty,
  defaultResource,
  machineResource,
  resourceServerResource,
  duplicatePath,
  reservedPath,
  furtherUrl,
  allowedOrigin,
  trustedProxy,
  weakSecret,
  weakInitialAccessToken,
  issuerPath,
  storeScheme,
  publishBefore,
];
